"""The live run view: the page and the tool that feeds it."""
