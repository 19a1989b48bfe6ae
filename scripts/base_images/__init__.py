"""Recipes for base images that a machine makes for itself when no registry answers.

Here belong the recipes, by kind of image, and the code that builds them. The command line is `scripts/base_images.py`.
"""
