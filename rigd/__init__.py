"""rigd: the flight recorder of a sim rig."""

__version__ = "0.2.0"
