"""AnalysisService: circuits, corners, laps against each other, findings, seasons."""

from rigd.serve.analysis.service import SERVICE as SERVICE
from rigd.serve.analysis.service import AnalysisService as AnalysisService
