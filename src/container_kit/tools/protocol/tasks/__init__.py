"""The extension `io.modelcontextprotocol/tasks` (SEP-2663, protocol 2026-07-28): a task is a stored run.

A task has no state except its run, so any server on the same store gives the same answer. Other packages use
`extension`; tool calls use `handoff`.
"""
