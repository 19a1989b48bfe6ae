"""Deno."""
