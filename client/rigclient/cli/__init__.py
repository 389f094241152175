"""The `rig` command: its commands, the live view, the terminal."""

import os

# As in rigd: no thread of numpy's for each core, which spins before it sleeps.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
