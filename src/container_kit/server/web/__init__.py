"""The HTTP side of the server: transports, authentication, rate limits, health endpoints and the run view."""
