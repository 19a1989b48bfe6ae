"""Floor 4, the process: settings, telemetry, transports and the command line. Never a stage."""
