"""Debian packages by the dependency that needs them."""

from __future__ import annotations

SYSTEM_PACKAGES: dict[str, tuple[str, ...]] = {
    "puppeteer": ("chromium",),
    "canvas": ("libcairo2", "libpango-1.0-0", "libjpeg62-turbo", "libgif7", "librsvg2-2"),
    "node-gyp": ("python3", "make", "g++"),
    "node-sass": ("python3", "make", "g++"),
    "bcrypt": ("python3", "make", "g++"),
    "sqlite3": ("python3", "make", "g++"),
    "better-sqlite3": ("python3", "make", "g++"),
    "prisma": ("openssl",),
    "@prisma/client": ("openssl",),
    "fluent-ffmpeg": ("ffmpeg",),
    "node-rdkafka": ("python3", "make", "g++", "librdkafka-dev"),
}
