"""One file an ecosystem; what it declares as `ECOSYSTEMS` is found by itself."""
