"""Container Kit: container pipelines as AI tools, on a typed pipeline engine."""
