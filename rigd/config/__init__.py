"""The configuration: every setting defined once, read from a file, the environment and the command line."""
