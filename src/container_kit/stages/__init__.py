"""Layer 1, the work: a stage uses its parameters, its context and one adapter.

A stage never imports another stage, a pipeline or MCP. Adapters translate foreign exceptions into faults.
"""
