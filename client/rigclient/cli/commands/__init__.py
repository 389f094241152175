"""What the commands of `rig` do, one file each, and the forms they print records in."""
