"""Durable runs: DBOS keeps the journal in a SQLite file or in Postgres. Only this package imports dbos and sqlalchemy.

Import `service` on first use, in a thread: it takes half a second. `config` and `process_locks` import neither.
"""
