"""A server whose system calls can be counted from the moment it listens: python -m tests.budget.server DATA

Prints its process id and its port.
"""

import os
import sys
from pathlib import Path

from rigd.serve.server import Settings, serve
from tests.budget.trace import ready

if __name__ == "__main__":
    ready()
    serve(Settings(Path(sys.argv[1]), "127.0.0.1:0"), lambda port: print(os.getpid(), port, flush=True))
