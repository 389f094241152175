"""`python -m rigd.ring PATH` inspects the ring at PATH; see `inspect`."""

import sys
from pathlib import Path

from rig.errors import Corrupt
from rigd.lifeline import hold
from rigd.ring.inspection import UNSOUND, inspect

hold()
try:
    inspect(Path(sys.argv[1]))
except Corrupt as error:
    print(error, file=sys.stderr)
    sys.exit(UNSOUND)
