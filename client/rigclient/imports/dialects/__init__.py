"""One module per dialect: how the files of one program are recognised and read."""

import functools
import importlib
import pkgutil

from rigclient.imports.recording import Dialect, Head


@functools.cache
def all_dialects() -> tuple[Dialect, ...]:
    """Return the DIALECT of every module here that has one, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return tuple(module.DIALECT for module in modules if hasattr(module, "DIALECT"))


def dialect_of(head: Head) -> Dialect | None:
    """Return the first dialect that recognises a file; None where none does."""
    return next((dialect for dialect in all_dialects() if dialect.recognises(head)), None)
