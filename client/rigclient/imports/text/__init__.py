"""Delimited text files: their encoding, cells, rows, and tables of samples."""
