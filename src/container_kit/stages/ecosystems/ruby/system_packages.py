"""Debian packages by the dependency that needs them."""

from __future__ import annotations

SYSTEM_PACKAGES: dict[str, tuple[str, ...]] = {
    "pg": ("libpq-dev", "libpq5"),
    "mysql2": ("default-libmysqlclient-dev",),
    "sqlite3": ("libsqlite3-dev", "libsqlite3-0"),
    "rmagick": ("libmagickwand-dev",),
    "mini_magick": ("imagemagick",),
    "ruby-vips": ("libvips42",),
    "image_processing": ("libvips42",),
    "charlock_holmes": ("libicu-dev",),
    "psych": ("libyaml-dev",),
    "rails": ("libyaml-dev",),
}
