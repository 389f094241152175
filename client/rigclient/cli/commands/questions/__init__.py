"""The commands of `rig warehouse`."""
