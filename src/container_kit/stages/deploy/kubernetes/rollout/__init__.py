"""Rollout watching: state, events and the diagnosis of a rollout that fails."""
