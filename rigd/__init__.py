"""rigd: the flight recorder of a sim rig."""

import os

__version__ = "0.2.0"

# numpy's linear algebra starts a thread for each core, which spins before it sleeps: 40 ms of CPU in every
# process that imports numpy, and none of them has a matrix that is worth it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
