"""rigclient: live telemetry of a sim rig, as numpy tables."""
