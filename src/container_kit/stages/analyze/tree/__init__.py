"""The source tree as the analysis sees it: bounded listing, module folders and line search."""
