"""Layer 2, the order of work: plans, driver, runtimes, events and metrics over the Stage contract.

Only `catalog` knows concrete stages. Nothing here knows MCP, Docker or Kubernetes.
"""
