"""The build context: which files belong to it and how they are packed."""
