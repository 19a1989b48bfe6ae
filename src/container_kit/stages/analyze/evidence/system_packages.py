"""Debian packages that dependencies need: what wheels, gems and native add-ons do not bring with them."""

from __future__ import annotations

from container_kit.stages.analyze.evidence.claims import ModuleDraft
from container_kit.stages.analyze.tree.module_folder import Folder
from container_kit.stages.artifacts.analysis import Finding

_NEEDS: dict[str, dict[str, tuple[str, ...]]] = {
    "python": {
        "psycopg2": ("gcc", "libpq-dev", "libpq5"),
        "mysqlclient": ("gcc", "pkg-config", "default-libmysqlclient-dev"),
        "pylibmc": ("gcc", "libmemcached-dev"),
        "python-ldap": ("gcc", "libldap2-dev", "libsasl2-dev"),
        "pycairo": ("gcc", "pkg-config", "libcairo2-dev"),
        "weasyprint": ("libpango-1.0-0", "libpangoft2-1.0-0"),
        "pyodbc": ("unixodbc",),
        "xmlsec": ("gcc", "pkg-config", "libxmlsec1-dev"),
        "opencv-python": ("libgl1", "libglib2.0-0"),
        "python-magic": ("libmagic1",),
        "pytesseract": ("tesseract-ocr",),
        "pdf2image": ("poppler-utils",),
        "pydub": ("ffmpeg",),
        "ffmpeg-python": ("ffmpeg",),
        "moviepy": ("ffmpeg",),
        "pygraphviz": ("gcc", "graphviz", "libgraphviz-dev"),
        "graphviz": ("graphviz",),
        "uwsgi": ("gcc",),
        "gdal": ("gdal-bin", "libgdal-dev"),
        "selenium": ("chromium", "chromium-driver"),
        "geodjango": ("gdal-bin", "libgeos-dev"),
    },
    "node": {
        "puppeteer": ("chromium",),
        "canvas": ("libcairo2", "libpango-1.0-0", "libjpeg62-turbo", "libgif7", "librsvg2-2"),
        "node-gyp": ("python3", "make", "g++"),
        "bcrypt": ("python3", "make", "g++"),
        "sqlite3": ("python3", "make", "g++"),
        "better-sqlite3": ("python3", "make", "g++"),
        "prisma": ("openssl",),
        "@prisma/client": ("openssl",),
        "fluent-ffmpeg": ("ffmpeg",),
        "node-rdkafka": ("python3", "make", "g++", "librdkafka-dev"),
    },
    "ruby": {
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
    },
    "rust": {
        "openssl": ("pkg-config", "libssl-dev"),
        "openssl-sys": ("pkg-config", "libssl-dev"),
        "native-tls": ("pkg-config", "libssl-dev"),
        "diesel": ("libpq-dev",),
        "rdkafka": ("cmake", "librdkafka-dev"),
    },
    "php": {
        "ext-gd": ("libpng-dev", "libjpeg-dev"),
        "ext-intl": ("libicu-dev",),
        "ext-zip": ("libzip-dev",),
        "ext-pdo_pgsql": ("libpq-dev",),
        "ext-pgsql": ("libpq-dev",),
        "ext-imagick": ("libmagickwand-dev",),
    },
    "go": {
        "github.com/mattn/go-sqlite3": ("gcc", "libc6-dev"),
        "github.com/confluentinc/confluent-kafka-go": ("librdkafka-dev",),
    },
}


def system_packages(folder: Folder, draft: ModuleDraft) -> tuple[Finding[str], ...]:
    """The packages with the dependency that needs them, and those that an `Aptfile` names."""
    found: dict[str, list[str]] = {}
    for dependency, packages in _NEEDS.get(draft.ecosystem, {}).items():
        if place := draft.dependencies.get(dependency):
            for package in packages:
                found.setdefault(package, []).append(place)
    listed = [
        line.strip() for line in folder.text("Aptfile").splitlines() if line.strip() and not line.startswith(("#", ":"))
    ]
    known: list[Finding[str]] = [
        Finding(value=name, confidence=0.98, provenance="declared", locations=(folder.place("Aptfile", name),))
        for name in listed
    ]
    needed: list[Finding[str]] = [
        Finding(value=name, confidence=0.85, provenance="framework", locations=tuple(locations[:3]))
        for name, locations in sorted(found.items())
        if name not in listed
    ]
    return tuple(known + needed)
