"""Durable runs: the journal is DBOS on a SQLite file, or on Postgres by URL. Nothing outside this package imports dbos.

Import `container_kit.pipelines.durable.service` on first use, in a thread: it takes half a second.
`process_locks` is light.
"""
