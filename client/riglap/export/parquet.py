"""A lap as Parquet: exact columns, units at the fields, lap and session in the file's metadata."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from riglap.atomic import atomic_write
from riglap.extras import need
from riglap.lap import Lap


def write(lap: Lap, path: Path, channels: Iterable[str] = ()) -> None:
    """Write the columns of `Lap.flat`, zstd inside. Raises MissingChannel, Unavailable without pyarrow.

    The file's metadata hold `rig.lap` and `rig.session`, the contract's messages as JSON, and
    `rig.not_available`, the channels without values, with commas between. Raises BadRequest for a lap without
    samples.
    """
    lap.check_samples()
    parquet = need("pyarrow.parquet", "export")
    asked = tuple(channels)
    metadata = {
        "rig.lap": _json(lap.info.message),
        "rig.session": _json(lap.session.message),
        "rig.not_available": ",".join(lap.unavailable(asked)),
    }
    table = lap.to_arrow(asked).replace_schema_metadata(metadata)
    with atomic_write(path) as partial, partial.open("wb") as file:
        parquet.write_table(table, file, compression="zstd")


def _json(message: Any) -> str:
    return json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True)
