"""The page that shows a run, and the tool that opens it in a client."""
