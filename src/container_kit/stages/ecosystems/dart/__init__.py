"""Dart and Flutter."""
