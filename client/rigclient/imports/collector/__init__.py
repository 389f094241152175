"""Files of the old collector: which belong together, what their columns are, the laps in them."""
