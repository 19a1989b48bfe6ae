"""Distribution packages: which are needed to compile a dependency, which to run it."""

from __future__ import annotations

from collections.abc import Iterable

_RUNTIME = {
    "libpq-dev": "libpq5",
    "default-libmysqlclient-dev": "libmariadb3",
    "libmysqlclient-dev": "libmariadb3",
    "libmariadb-dev": "libmariadb3",
    "libxml2-dev": "libxml2",
    "libxslt1-dev": "libxslt1.1",
    "libxmlsec1-dev": "libxmlsec1-openssl",
    "libffi-dev": "libffi8",
    "libssl-dev": "libssl3",
    "libjpeg-dev": "libjpeg62-turbo",
    "libjpeg62-turbo-dev": "libjpeg62-turbo",
    "libpng-dev": "libpng16-16",
    "libwebp-dev": "libwebp7",
    "libfreetype6-dev": "libfreetype6",
    "zlib1g-dev": "zlib1g",
    "libyaml-dev": "libyaml-0-2",
    "libsqlite3-dev": "libsqlite3-0",
    "libcairo2-dev": "libcairo2",
    "libpango1.0-dev": "libpangocairo-1.0-0",
    "libgeos-dev": "libgeos-c1v5",
    "libgdal-dev": "gdal-bin",
    "libmagickwand-dev": "imagemagick",
    "libvips-dev": "libvips42",
    "libldap2-dev": "ldap-utils",
    "libsasl2-dev": "libsasl2-2",
    "librdkafka-dev": "librdkafka1",
    "libcurl4-openssl-dev": "libcurl4",
    "unixodbc-dev": "unixodbc",
    "libsnappy-dev": "libsnappy1v5",
    "libicu-dev": "icu-devtools",
    "libmemcached-dev": "libmemcached11",
}
"""From what a dependency compiles against to what the compiled dependency loads: names that both Debian 12 and 13 know.
If the library's name has a version, a small program that depends on it is listed."""

_COMPILERS = {
    "build-essential",
    "gcc",
    "g++",
    "make",
    "cmake",
    "pkg-config",
    "git",
    "python3-dev",
    "rustc",
    "cargo",
    "golang-go",
}


def build_packages(packages: Iterable[str]) -> tuple[str, ...]:
    """Return what to install before dependencies are built; headers bring a compiler with them."""
    names = tuple(dict.fromkeys(packages))
    needs_compiler = any(name.endswith("-dev") for name in names)
    return (*(("build-essential", "pkg-config") if needs_compiler else ()), *names)


def runtime_packages(packages: Iterable[str]) -> tuple[str, ...]:
    """Return what the last stage needs: libraries and programs, no headers and no compilers."""
    names = (_RUNTIME.get(name, name) for name in packages)
    return tuple(dict.fromkeys(name for name in names if not name.endswith("-dev") and name not in _COMPILERS))
