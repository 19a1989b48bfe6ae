"""Results of tool calls: successes, faults, summaries and schemas."""
