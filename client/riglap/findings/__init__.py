"""Findings: what analysis saw in a lap, with evidence in numbers, and the tips made of them."""

from riglap.findings.find import doubtful as doubtful
from riglap.findings.find import findings as findings
from riglap.findings.finding import Finding as Finding
from riglap.findings.tips import Tip as Tip
from riglap.findings.tips import tips as tips
