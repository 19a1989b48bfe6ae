"""Facts collected from a module, with their evidence and confidence."""
