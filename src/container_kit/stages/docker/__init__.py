"""The adapter to the Docker Engine API, with image references, registry credentials and image inspection.

No stage that changes anything belongs here; the rooms above own those.
"""
