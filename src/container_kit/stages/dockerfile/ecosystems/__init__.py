"""Recipes, one file an ecosystem. Each is a function from an application and the choice of bases to a recipe."""
