"""How code speaks: docstrings of functions begin with a verb, and a class name means one thing."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("rigd", "client/riglap", "client/rigclient", "proto/rig")
GENERATED: Final = ("rig/infos.py", "rigclient/blocking.py", "rigclient/catalog.py")

_VERBS: Final = """
Acknowledge Add Advance Allocate Allow Append Apply Approve Archive Ask Attach Begin Bind Bring Build Call
Cancel Capture Carry Change Check Choose Clean Clear Close Collect Come Comment Commit Compare Complete
Compute Connect Convert Copy Count Create Decide Declare Decode Decompress Delete Detect Die Do Draw Drop
Encode End Enforce Ensure Enter Export Fetch Fill Find Finish Fit Fix Follow Forget Format Free Freeze Get
Give Go Hand Handle Have Hold Ignore Import Insert Install Issue Join Keep Learn Leave Let List Listen Load
Lock Log Look Lower Make Map Mark Match Measure Meet Merge Move Name Note Open Pack Pad Pair Parse Pass
Pause Pin Place Plan Play Plot Poll Post Prepare Print Process Publish Put Raise Read Receive Record Refuse
Register Reject Release Reload Remember Remove Rename Render Repair Replace Replay Report Request Reset
Resolve Restart Resume Return Revoke Roll Run Say Scan Search Select Send Serve Set Share Shift Shorten Show
Simulate Sleep Sort Split Spoil Spool Start Stay Step Stop Store Stream Sync Tabulate Take Tell Trace
Truncate Turn Undo Unload Unpack Unpin Update Upload Use Verify Wait Wake Walk Warn Watch Work Wrap Write
Yield
"""
VERBS: Final = frozenset(_VERBS.split())
"""A new one is added when it is a verb."""

SAME: Final = {"Settings", "Dialect", "Head", "Reading", "Place"}
"""Classes that mean the same of different things: settings of archiver, recorder and server; dialects of SQL
and of files; heads of columns and of files; reading a lap from the rig, and at a timing line; places on a car
and in the live tail.
"""


def modules() -> Iterator[Path]:
    """Yield what people have written."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.as_posix().endswith(GENERATED) and "_pb2" not in path.name:
                yield path


def functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield public functions, and those of public classes. Properties and click's groups are things."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            decorators = [ast.unparse(one).partition("(")[0] for one in node.decorator_list]
            if not any(one.endswith(("property", ".setter", "click.group")) for one in decorators):
                yield node


def fault(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return what is wrong with the docstring of a function; empty when nothing is."""
    words = (ast.get_docstring(node) or "").split()
    if not words or words[0].rstrip(".,:;") in VERBS:
        return ""
    return f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {' '.join(words[:6])}"


def test_docstrings_of_functions_begin_with_a_verb() -> None:
    found = [fault(path, node) for path in modules() for node in functions(ast.parse(path.read_text()).body)]
    assert len(found) > 1000
    assert [one for one in found if one] == []


@pytest.mark.parametrize("text", ["The lap.", "Whether it is.", "Raises Corrupt.", "A row per lap."])
def test_a_thing_is_no_verb(text: str) -> None:
    (node,) = functions(ast.parse(f'def lap():\n    """{text}"""').body)
    assert fault(ROOT / "x.py", node) == f"x.py:1 lap: {text}"


def test_a_class_name_means_one_thing() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: places for name, places in where.items() if len(places) > 1 and name not in SAME} == {}
