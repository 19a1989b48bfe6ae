"""Debian packages by the dependency that needs them."""

from __future__ import annotations

SYSTEM_PACKAGES: dict[str, tuple[str, ...]] = {
    "ext-gd": ("libpng-dev", "libjpeg-dev"),
    "ext-intl": ("libicu-dev",),
    "ext-zip": ("libzip-dev",),
    "ext-pdo_pgsql": ("libpq-dev",),
    "ext-pgsql": ("libpq-dev",),
    "ext-imagick": ("libmagickwand-dev",),
}
