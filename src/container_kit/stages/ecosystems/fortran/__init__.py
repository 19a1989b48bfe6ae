"""Fortran."""
