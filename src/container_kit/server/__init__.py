"""Layer 4: the process. Settings, telemetry, transports, the web and the command line. It contains no stages."""
