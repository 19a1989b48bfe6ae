"""Artifacts that travel between stages: frozen models that round-trip through JSON, one module per subject."""
