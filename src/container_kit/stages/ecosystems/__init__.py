"""One folder per language ecosystem: how to detect, build and lock its applications. Folders register themselves."""
