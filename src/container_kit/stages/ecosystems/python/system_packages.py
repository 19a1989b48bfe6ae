"""Debian packages by the dependency that needs them."""

from __future__ import annotations

SYSTEM_PACKAGES: dict[str, tuple[str, ...]] = {
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
}
