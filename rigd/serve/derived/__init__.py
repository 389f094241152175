"""Channels that are made while somebody asks: deltas, predicted lap, gaps."""

from rigd.serve.derived.channels import Derived as Derived
from rigd.serve.derived.channels import DerivedChannels as DerivedChannels
