"""Floor 3, what an assistant sees: one file a tool, and what tools share (results, faults, progress).

Never docker, kubernetes or dbos, and never a decision to retry.
"""
