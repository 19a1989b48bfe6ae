"""Applications that only files of hosting platforms and containers describe."""
