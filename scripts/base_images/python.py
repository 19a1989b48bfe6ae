"""CPython in /usr/local, with pip and headers, as the public images have it."""

from __future__ import annotations

from base_images.recipe import BOOKWORM, FORKY, TRIXIE, Recipe

_VERSIONS = {
    "PYTHON_VERSION": "python3 -c 'import platform; print(platform.python_version())'",
}


def _from_packages(version: str, suite: str, base: str, *, with_source: bool = True) -> Recipe:
    arguments = version if with_source else f"{version} without-source"
    files = ["debian-python.sh", "relocate_python.py"]
    if version == "3.11":
        files.append("link-python-3.11.sh")
    language = "ENV LANG=C.UTF-8\n" if version < "3.13" else ""  # the public images set it before 3.13
    return Recipe(
        f"python:{version}-slim",
        f"Debian {suite} packages of python{version}{', and its source package' if with_source else ''}",
        f"FROM {base}\nCOPY {' '.join(files)} /usr/src/python/\n"
        f"RUN sh /usr/src/python/debian-python.sh {arguments} && rm -rf /usr/src/python\n"
        f'{language}CMD ["python3"]\n',
        files=tuple(files),
        versions=_VERSIONS,
    )


RECIPES = (
    _from_packages("3.11", "bookworm", BOOKWORM),
    _from_packages("3.13", "trixie", TRIXIE),
    _from_packages("3.14", "forky", FORKY, with_source=False),
    _from_packages("3.15", "forky", FORKY, with_source=False),
)
