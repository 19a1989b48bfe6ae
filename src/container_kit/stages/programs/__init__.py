"""External programs: running them with bounds, and the adapters of programs that several rooms use.

An adapter that only one room uses belongs to that room.
"""
