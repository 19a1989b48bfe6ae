"""Execution of a plan: the driver, the stage runner, approvals and the runtimes."""
