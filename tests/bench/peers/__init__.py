"""rigd beside programs that people would otherwise use: the same bytes, the same machine, the same run."""
