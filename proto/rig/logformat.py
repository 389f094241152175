"""How a line of a log looks. By itself: most of what shows text writes no log, and loads none."""

import logging
from typing import Any

from rig.signs import visible


class LogFormatter(logging.Formatter):
    """Lines of a log: one that somebody else's words could not break in two."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging names it
        """Return the line without a trace."""
        return visible(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging names it
        """Return the trace, whose lines stay lines."""
        return "\n".join(map(visible, super().formatException(ei).split("\n")))
