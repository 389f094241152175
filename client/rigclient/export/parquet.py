"""A lap as Parquet: exact columns, units at the fields, the lap's facts at the file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from rigclient.extras import need
from rigclient.lap import Lap
from rigclient.whole import whole


def write(lap: Lap, path: Path, channels: Iterable[str] = ()) -> None:
    """Write the columns of `Rows.flat`, zstd inside. Raises MissingChannel, Unavailable without pyarrow.

    The file's metadata hold `rig.lap` and `rig.session`, the contract's messages as JSON.
    """
    parquet = need("pyarrow.parquet", "export")
    table = lap.to_arrow(channels).replace_schema_metadata(
        {"rig.lap": _json(lap.info), "rig.session": _json(lap.session)}
    )
    with whole(path) as place, place.open("wb") as file:
        parquet.write_table(table, file, compression="zstd")


def _json(message: Any) -> str:
    return json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True)
