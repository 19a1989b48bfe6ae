"""The run service: one view of all runs for tools, the command line, the page and workers.

Runs that only read, and dry runs, are in memory. Other runs are in the store.
"""
