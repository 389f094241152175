"""Who may do what on this rig: certificates, tokens, callers. Knows nothing of laps, rings or gRPC."""
