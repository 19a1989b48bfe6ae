"""Pascal."""
