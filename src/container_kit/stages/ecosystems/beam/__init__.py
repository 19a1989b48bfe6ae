"""Elixir, Gleam and Erlang."""
