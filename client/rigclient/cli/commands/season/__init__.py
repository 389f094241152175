"""`rig season`: what sessions add up to."""
