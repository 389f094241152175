"""Columns of other programs as channels of the registry."""
