"""The commands of `rigd`. Each loads what it works with when it is run."""
