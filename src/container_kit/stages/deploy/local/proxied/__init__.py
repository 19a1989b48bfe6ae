"""Access to versions through the proxy, for engines whose addresses this machine does not reach."""
