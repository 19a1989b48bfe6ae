"""Executing a plan: the driver decides the order, the stage runner runs stages, a runtime keeps the outcomes."""
