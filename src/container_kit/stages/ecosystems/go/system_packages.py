"""Debian packages by the dependency that needs them."""

from __future__ import annotations

SYSTEM_PACKAGES: dict[str, tuple[str, ...]] = {
    "github.com/mattn/go-sqlite3": ("gcc", "libc6-dev"),
    "github.com/confluentinc/confluent-kafka-go": ("librdkafka-dev",),
}
