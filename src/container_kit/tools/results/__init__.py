"""Results of tool calls: successes, faults, summaries and schemas. Nothing here executes a run."""
