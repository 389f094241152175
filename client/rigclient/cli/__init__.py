"""The `rig` command: its commands, the live view, the terminal."""
