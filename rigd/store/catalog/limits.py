"""How much the catalog takes. Beyond most of it a value is refused with INVALID_ARGUMENT, since it never
fits.
"""

from typing import Final

MAX_NAME: Final = 200
"""Characters of a title, a place, a key, a word: what stands in a line of a list."""
MAX_TEXT_BYTES: Final = 64 << 10
"""Of a description, a note, a message, a layout's document, a setup's file. Those of the game have 20 kB."""
MAX_RESOURCE_BYTES: Final = 192 << 10
"""A setup with its file and 2000 parameters of 60 bytes fits, and in a request with what is around it."""
MAX_ROWS: Final = 2000
"""Parameters of a setup; the game's have 200."""
MAX_FEW: Final = 100
"""Parts of a configuration, items of a plan, tags of a session, drivers of a user, findings of a message."""
MAX_SHARED: Final = 64
"""Users that one resource is shared with by name; `*` is everybody."""
MAX_IMPORT_BYTES: Final = 64 << 20
"""Held in memory until all is there, so that all of it is taken or nothing."""
MAX_CATALOG_BYTES: Final = 2 << 30
"""Of the file; beyond it nothing is added (RESOURCE_EXHAUSTED)."""
MAX_PROBLEMS: Final = 1000
"""Told by one check."""
PAGE_BYTES: Final = 1 << 20
"""A page ends early where it has more, and so does a message of an export."""
MAX_BACKUPS: Final = 10
"""Of those that the catalog itself makes; the oldest goes when there is one more."""
