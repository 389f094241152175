"""All decoders under fuzzing, for the short form and the long one."""

from typing import Final

from tests.fuzz import archives, captures, lapfiles, memory, records, ring, trust
from tests.fuzz.target import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for noun in (lapfiles, records, archives, captures, memory, ring, trust)
    for target in noun.TARGETS
}
