"""The old collector: ten files a lap that share a clock, physics and scoring of a lap, or one file of both.

    elapsed_time,lap_number,bias_front,pressure_0,...
    1113.1425,5,0.5125,0.0,...

Any file of a session stands for all of them: `together` names the others, which lie in the same folder.
"""

from pathlib import Path
from typing import Final

from rig.errors import BadRequest
from rigclient.imports.collector.files import columns_of, session_of
from rigclient.imports.collector.laps import collected_laps, mapping_of, recorded_laps, recorded_session
from rigclient.imports.recording import Head, Progress, Recording, Refuse
from rigclient.imports.signals.clock import rate_hz


class Collector:
    """Reads them."""

    name = "collector"
    program = "the old collector"

    def recognises(self, head: Head) -> bool:
        """Return whether the first line has its clock, its laps and columns that are known."""
        return bool(columns_of(head.text))

    def together(self, path: Path) -> list[Path]:
        """Return the files of the session that a file is of, in the order of its laps."""
        return [file.path for group in session_of(path) for file in group.files]

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording of the session that a file is of. Raises BadRequest for one without a lap, or
        with two sessions in a file.
        """
        groups = session_of(path)
        quiet = collected_laps(groups, lambda *_: None, lambda _: None)
        whole = next((lap for lap in quiet if len(lap.base.lines) > 2), None)
        if whole is None:
            raise BadRequest("no lap of it has three rows")
        columns, left = mapping_of(whole)
        laps = recorded_laps(groups, refuse, progress)
        session = recorded_session(whole)
        return [Recording(self.name, session, laps, rate_hz(whole.base.clock), columns, left)]


DIALECT: Final = Collector()
