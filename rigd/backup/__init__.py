"""Backups: one file with a consistent copy of the stores, made while they are written, and how it comes
back.
"""
