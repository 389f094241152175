"""Setups of cars: what a game's file says, and how two of them differ."""

from riglap.setups.difference import Difference as Difference
from riglap.setups.difference import diff as diff
from riglap.setups.setup import Parameter as Parameter
from riglap.setups.setup import Setup as Setup
from riglap.setups.setup import parameter_title as parameter_title
from riglap.setups.setup import section_title as section_title
from riglap.setups.svm import read_svm as read_svm
from riglap.setups.svm import setup_of as setup_of
