"""Traces and metrics of runs."""
