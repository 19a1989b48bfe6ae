"""Applications of other people, deployed with one call each."""
