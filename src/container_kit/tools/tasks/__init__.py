"""The extension `io.modelcontextprotocol/tasks` (SEP-2663, protocol 2026-07-28): a task is a stored run.

Nothing is kept for a task but the run itself, so that a server which was started anew, or another one on the same
store, tells the same. Only `extension` is for others; `handing` is what a tool call needs to know.
"""
