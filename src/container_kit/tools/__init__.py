"""Layer 3, what an assistant sees: one module per tool, and what tools share (results, faults, progress).

Tools do not import docker, kubernetes or dbos, and never decide to retry.
"""
