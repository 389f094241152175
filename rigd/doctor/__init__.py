"""`rigd doctor`: what may keep a rig from recording; what is the game's own stands in `sources`."""
