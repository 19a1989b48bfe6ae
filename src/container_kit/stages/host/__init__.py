"""Differences between operating systems: `file_locks`, `paths`, `processes`, `xattrs`. One module per subject.

A module has one implementation per platform and the same interface on all of them. Nothing here knows containers.
"""
