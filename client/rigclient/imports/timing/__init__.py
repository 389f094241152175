"""Tables of timing services: lap charts, beacons of the line, telemetry a value a row."""
