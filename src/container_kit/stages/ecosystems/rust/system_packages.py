"""Debian packages by the dependency that needs them."""

from __future__ import annotations

SYSTEM_PACKAGES: dict[str, tuple[str, ...]] = {
    "openssl": ("pkg-config", "libssl-dev"),
    "openssl-sys": ("pkg-config", "libssl-dev"),
    "native-tls": ("pkg-config", "libssl-dev"),
    "diesel": ("libpq-dev",),
    "rdkafka": ("cmake", "librdkafka-dev"),
}
