"""Circuits: a reference line per track layout, its corners, and the files that keep them."""
