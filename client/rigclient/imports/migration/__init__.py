"""The old collector left: its folder imported, and every lap compared with its files."""
