"""The adapter to the Kubernetes API: connection, faults, permissions and quotas."""
