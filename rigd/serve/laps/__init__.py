"""LapService: sessions and laps, found, read, marked, kept and deleted."""

from rigd.serve.laps.service import SERVICE as SERVICE
from rigd.serve.laps.service import LapService as LapService
