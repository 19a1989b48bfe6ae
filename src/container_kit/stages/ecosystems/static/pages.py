"""The folder with the pages: found in the build, which fails if there is no index page."""

from __future__ import annotations

from collections.abc import Iterable

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.static.nginx import ROOT

_NAME = re.compile(r"[\w./@+~-]+", re.ASCII)
_NEW_PAGES = (
    "find {folder} -mindepth 2 -name index.html -newer /tmp/site.conf"
    " ! -path '*/node_modules/*' ! -path '*/public/*' ! -path '*/src/*' | awk '{{ print gsub(\"/\", \"/\"), $0 }}'"
    " | sort -n | cut -d' ' -f2- | sed 's,/index.html$,,'"
)
"""The folders whose index page the build wrote, those with the shortest paths first."""


def collect(app: App, expected: Iterable[str], base: str = "") -> str:
    """Return the instruction that copies the pages to the folder that nginx serves.

    Args:
        app: The application.
        expected: Folders that may hold the pages, absolute, the likeliest first.
        base: The path at which the site is served.
    """
    folders = [name for name in dict.fromkeys(expected) if _NAME.fullmatch(name) and ".." not in name.split("/")]
    absent = (
        f"echo 'The site has no index page in {' or '.join(folders)}. Pages that exist:' >&2; \\\n"
        f"    find {app.folder} -name '*.htm*' ! -path '*/node_modules/*' >&2; exit 1"
    )
    target = f"{ROOT}{base}"
    return _built(app, folders, target, absent) if app.build else _present(folders[0], target, absent)


def _built(app: App, folders: list[str], target: str, absent: str) -> str:
    places = [f"{folder}{inner}" for folder in folders for inner in ("", "/browser", "/*/browser")]
    return (
        "# Without an index page, nothing comes through the pipe, and the build ends below.\n"
        "# hadolint ignore=DL4006\n"
        f"RUN mkdir -p {target} \\\n"
        f"    && for pages in {' '.join(places)} \\\n"
        f"        $({_NEW_PAGES.format(folder=app.folder)}); do \\\n"
        f'        if [ -f "$pages/index.html" ]; then cp -R "$pages/." {target}/; exit 0; fi; \\\n'
        f"    done; \\\n    {absent}"
    )


def _present(folder: str, target: str, absent: str) -> str:
    """Copy a folder; its only page is the index page, whatever its name is."""
    return (
        f"RUN mkdir -p {target} && cp -R {folder}/. {target}/ \\\n"
        f"    && set -- {target}/*.htm* \\\n"
        f"    && if [ -f {target}/index.html ] || [ -f {target}/index.htm ]; then exit 0; fi; \\\n"
        f'    if [ $# = 1 ] && [ -f "$1" ]; then cp "$1" {target}/index.html; exit 0; fi; \\\n'
        f"    {absent}"
    )
