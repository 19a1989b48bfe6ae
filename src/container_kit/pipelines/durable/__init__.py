"""Durable runs: the journal is DBOS on a SQLite file, or on Postgres by URL. Nothing outside this folder knows dbos.

Import `container_kit.pipelines.durable.runs` when the first durable run is asked for, in a thread: it takes half a
second. `owners` is light.
"""
