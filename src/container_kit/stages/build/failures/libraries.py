"""The Debian packages of system libraries that builds miss, by header, library or program."""

from __future__ import annotations

from collections.abc import Sequence

from container_kit.stages.build.failures.pattern import Failure, edit_and_retry
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import NextAction

_PACKAGES = {
    "libpq-fe.h": "libpq-dev", "pg_config": "libpq-dev", "pq": "libpq-dev", "mysql.h": "default-libmysqlclient-dev pkg-config",
    "valid pkg-config name": "default-libmysqlclient-dev pkg-config", "mysqlclient": "default-libmysqlclient-dev pkg-config",
    "Python.h": "python3-dev", "ffi.h": "libffi-dev", "openssl/": "libssl-dev", "ssl": "libssl-dev", "crypto": "libssl-dev",
    "libxml/": "libxml2-dev libxslt1-dev", "libxslt/": "libxslt1-dev", "libxml2": "libxml2-dev libxslt1-dev",
    "xml2": "libxml2-dev", "jpeglib.h": "libjpeg-dev zlib1g-dev", "jpeg": "libjpeg-dev zlib1g-dev", "zlib.h": "zlib1g-dev",
    "z": "zlib1g-dev", "png.h": "libpng-dev", "cairo.h": "libcairo2-dev pkg-config", "cairo": "libcairo2-dev pkg-config",
    "lber.h": "libldap2-dev libsasl2-dev", "ldap.h": "libldap2-dev libsasl2-dev", "sasl/": "libsasl2-dev",
    "sql.h": "unixodbc-dev", "krb5.h": "libkrb5-dev", "gssapi/": "libkrb5-dev", "curl/": "libcurl4-openssl-dev",
    "portaudio.h": "portaudio19-dev", "gmp.h": "libgmp-dev", "yaml.h": "libyaml-dev", "sqlite3.h": "libsqlite3-dev",
    "sqlite3": "libsqlite3-dev", "expat.h": "libexpat1-dev", "glib.h": "libglib2.0-dev", "gdal.h": "libgdal-dev",
    "geos_c.h": "libgeos-dev", "proj.h": "libproj-dev", "snappy": "libsnappy-dev", "lzma.h": "liblzma-dev",
    "bzlib.h": "libbz2-dev", "readline/": "libreadline-dev", "ncurses.h": "libncurses-dev", "magic.h": "libmagic-dev",
    "hdf5.h": "libhdf5-dev", "linux/": "linux-libc-dev", "systemd/": "libsystemd-dev", "usb.h": "libusb-dev",
    "pcre.h": "libpcre3-dev", "event.h": "libevent-dev", "uv.h": "libuv1-dev", "zmq.h": "libzmq3-dev",
    "rdkafka.h": "librdkafka-dev", "archive.h": "libarchive-dev", "vips/": "libvips-dev", "vips": "libvips-dev",
    "Imlib2.h": "libimlib2-dev", "wand/": "libmagickwand-dev", "libavformat/": "libavformat-dev", "pango": "libpango1.0-dev",
    "OpenSSL": "libssl-dev", "openssl": "libssl-dev", "fuse.h": "libfuse-dev", "uuid/": "uuid-dev", "sodium": "libsodium-dev",
    "stdio.h": "libc6-dev", "limits.h": "libc6-dev",
}  # fmt: skip


def package_of(name: str) -> str | None:
    """Return the Debian packages of a header, library or program; None if they are not known."""
    if name in _PACKAGES:
        return _PACKAGES[name]
    return next((packages for key, packages in _PACKAGES.items() if key.endswith("/") and name.startswith(key)), None)


def advise(failure: Failure, match: re.Match[str]) -> Sequence[NextAction]:
    """Propose to install the packages of the missing library."""
    names = [value for value in match.groupdict().values() if value]
    known = [packages for name in names for key in _keys(name) if (packages := package_of(key))]
    if known:
        install = f"`RUN apt-get update && apt-get install -y --no-install-recommends {known[0]}`"
        return [edit_and_retry(f"Add {install} before {failure.where}.")]
    what = names[0] if names else "the library"
    return [
        edit_and_retry(
            f"Install the Debian package with {what} before {failure.where}: `apt-cache search` and "
            f"`apt-file search {what}` find it."
        )
    ]


def _keys(name: str) -> Sequence[str]:
    last = name.rsplit(" ", 1)[-1]
    return (name, last, name.rsplit("/", 1)[-1], next((key for key in _PACKAGES if key in name and len(key) > 5), ""))
