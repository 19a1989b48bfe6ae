"""Layer 4, the process: settings, telemetry, transports and the command line. It contains no stages."""
