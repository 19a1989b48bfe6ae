"""What stages hand to one another: frozen models that survive a trip through JSON, one file a subject."""
