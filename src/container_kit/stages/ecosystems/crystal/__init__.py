"""Crystal."""
