"""Languages that compile to a program: Dart, Swift, Crystal, Haskell, OCaml and Nim."""
