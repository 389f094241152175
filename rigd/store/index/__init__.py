"""The index: sessions and laps for filtering and paging, in one SQLite file.

The folder of laps is the truth and the index can be made from it again, so the file is not flushed with every
commit: a power cut may take the last ones, and never breaks it. The archiver writes, servers read beside it.
"""

from rigd.store.index.file import NEWER, connect, refuse_newer, remove_index
from rigd.store.index.reader import IndexReader
from rigd.store.index.schema import VERSION
from rigd.store.index.writer import Index, IndexedLap

__all__ = [
    "NEWER",
    "VERSION",
    "Index",
    "IndexReader",
    "IndexedLap",
    "connect",
    "refuse_newer",
    "remove_index",
]
