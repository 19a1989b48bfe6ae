"""Generation of a Dockerfile: from an analyzed module to a recipe, and from a recipe to text."""
