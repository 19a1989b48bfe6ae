"""Readers of file formats that several stages share, one for each format.

What a stage concludes from a file does not belong here.
"""
