"""Files of the old collector: which belong together, what their columns are, whether they came over whole."""
