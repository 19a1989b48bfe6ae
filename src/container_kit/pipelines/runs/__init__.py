"""The run service that tools, the command line, the page and workers use."""
