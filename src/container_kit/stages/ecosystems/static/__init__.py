"""Static sites."""
