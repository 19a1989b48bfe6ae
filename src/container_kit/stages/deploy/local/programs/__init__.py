"""Commands that run once in a new image, and programs without a port."""
