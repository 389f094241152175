"""One decoder under a fuzzer that follows coverage, in a process that may be lost; `tests.fuzz` starts it.

python -m tests.fuzz.guided NOUN NAME FUZZER-OPTIONS

NOUN is the module that has the decoder. Only what that one imports is made to tell of its branches, which
takes a tenth of a millisecond per line.
"""

import sys
from importlib import import_module
from typing import Final

import atheris

from tests.fuzz.target import Target, feed, limit_memory

_FOLLOWED: Final = ["rig", "rigclient", "rigd"]
_NOT_FOLLOWED: Final = ["rig.v1", "rig.tables", "rigd.demo"]
"""Generated code has no branches, and the demo decodes nothing."""


def _target(noun: str, name: str) -> Target:
    with atheris.instrument_imports(_FOLLOWED, _NOT_FOLLOWED, enable_loader_override=False):
        targets: tuple[Target, ...] = import_module(noun).TARGETS
    return next(target for target in targets if target.name == name)


def main() -> None:
    """Run until the options say that it is enough."""
    program, noun, name, *options = sys.argv
    target = _target(noun, name)
    target.seeds()  # what a decoder stands on is made before the first input is timed
    limit_memory()

    def once(data: bytes) -> None:
        feed(target, data)

    atheris.Setup([program, *options], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
