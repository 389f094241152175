"""The catalog: what people enter, in one SQLite file that the server alone writes."""
