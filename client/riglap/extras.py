"""Packages that only an extra of the distribution brings: loaded when first needed."""

import importlib
from typing import Any

from rig.errors import Unavailable


def need(module: str, extra: str) -> Any:
    """Return the module. Raises Unavailable with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unavailable(
            f"{module} is not installed", hint=f"pip install 'rigd[{extra}]'", module=module
        ) from error
