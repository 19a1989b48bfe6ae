"""Dependencies: packages, lock files and the registry that an ecosystem's packages come from."""
