"""A season as one page for browsers: static, light and dark, without a network."""

from riglap.season.page.forecast import quality as quality
from riglap.season.page.frame import page as page
from riglap.season.page.frame import write as write
