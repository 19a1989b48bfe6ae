"""Floor 2, the order: plan, driver, runtimes, events and metrics over the Stage contract.

Concrete stages are known in `catalog` alone; nothing here knows MCP, docker or kubernetes.
"""
