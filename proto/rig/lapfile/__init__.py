"""Lap files: a head that says what is inside, then a block per channel. ARCHIVE.md is the format."""

from rig.lapfile.file import DECODE_BYTES, LapFile
from rig.lapfile.head import (
    COLUMNS_LIMIT,
    DECODED_LIMIT,
    FILE_LIMIT,
    HEAD_LIMIT,
    MAGIC,
    RECORDED,
    ROWS_LIMIT,
    SAMPLES,
    SCORINGS,
    START_BYTES,
    TOGETHER_LIMIT,
    VERSION,
    WORK_LIMIT,
    version_of,
)
from rig.lapfile.packing import PlainFile, pack

__all__ = [
    "COLUMNS_LIMIT",
    "DECODED_LIMIT",
    "DECODE_BYTES",
    "FILE_LIMIT",
    "HEAD_LIMIT",
    "MAGIC",
    "RECORDED",
    "ROWS_LIMIT",
    "SAMPLES",
    "SCORINGS",
    "START_BYTES",
    "TOGETHER_LIMIT",
    "VERSION",
    "WORK_LIMIT",
    "LapFile",
    "PlainFile",
    "pack",
    "version_of",
]
