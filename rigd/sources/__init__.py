"""Where telemetry comes from: one folder per game."""
