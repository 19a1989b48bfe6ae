"""Readers of file formats that several stages share. A format has exactly one reader."""
