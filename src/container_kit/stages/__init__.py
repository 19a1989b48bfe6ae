"""Floor 1, the work: a stage touches its parameters, its context and one adapter.

Never another stage, never a pipeline, never MCP. Foreign exceptions are translated here and go no higher.
"""
