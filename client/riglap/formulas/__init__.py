"""Math channels: formulas with units over the channels of a lap. No text is ever run as a program."""

from riglap.formulas.definitions import Chosen as Chosen
from riglap.formulas.definitions import chosen as chosen
from riglap.formulas.definitions import defined as defined
from riglap.formulas.definitions import read_formulas as read_formulas
from riglap.formulas.formula import columns_of as columns_of
from riglap.formulas.formula import evaluate as evaluate
from riglap.formulas.formula import with_formulas as with_formulas
from riglap.formulas.parser import Formula as Formula
from riglap.formulas.parser import parse as parse
