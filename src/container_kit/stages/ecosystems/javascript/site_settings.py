"""What a front end's configuration says of its result: the folder, and the path at which it is served."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import urlsplit

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.javascript.installation.install_root import dependencies

_CONFIGS = re.compile(
    r"(?:vite|vue|astro|svelte|next|nuxt|rsbuild|docusaurus|webpack|\.?eleventy|gatsby-config|farm|stencil|quasar|angular)"
    r"(?:\.config)?(?:\.prod\w*)?\.(?:[cm]?[jt]s|json)"
)
_FOLDER = re.compile(
    r"\b(?:outDir|outputPath|outputDir|distDir|distFolder|pages)\b['\"]?\s*[:=]\s*"
    r"(?:\{\s*['\"]base['\"]\s*:\s*)?(?:(?:path\.)?(?:resolve|join)\(\s*(?:__dirname|import\.meta\.\w+)\s*,\s*)?"
    r"['\"]([\w./@+~-]+)['\"]",
    re.MULTILINE,
)
_LONGEST = 32_000
"""Characters of a configuration file that are read."""
_COMMENT = re.compile(r"(?m)(?:^|[\s{,;(])//[^\n]*|/\*[^*]{0,500}\*+/")
_ROOT = re.compile(
    r"(?:^|[{,])\s*root\s*:\s*(?:(?:path\.)?(?:resolve|join)\(\s*__dirname\s*,\s*)?['\"]([\w./-]+)['\"]", re.MULTILINE
)
_OPTION = re.compile(r"(?:--out-?[dD]ir|--dist-dir|--output(?:-path)?|--out|--dest|-o|-d)[= ]([\w./@+~-]+)")
_BASE = re.compile(
    r"\b(?:base|baseUrl|baseURL|basePath|publicPath|baseHref)\b['\"]?\s*:\s*['\"](/[\w./-]+?)/?['\"]",
    re.MULTILINE,
)
_BASE_OPTION = re.compile(r"--(?:base|base-href|public-url)[= ](/[\w./-]+?)/?(?:\s|$)")


def output_folders(app: App) -> Iterator[str]:
    """Yield the folders that the configuration and the build script name, inside the module's folder."""
    scripts = dependencies(app.tree.json(app.inside("package.json")), "scripts")
    yield from _OPTION.findall(scripts.get("build", ""))
    for text in _configs(app):
        root = _ROOT.search(text)
        for folder in _FOLDER.findall(text):
            path = posixpath.normpath(posixpath.join(root[1] if root else "", folder.removeprefix("/")))
            if not path.startswith(".."):
                yield path


def base_path(app: App) -> str:
    """Return the path at which the site is built to be served, without a final slash; empty for the root."""
    package = app.tree.json(app.inside("package.json"))
    option = _BASE_OPTION.search(dependencies(package, "scripts").get("build", ""))
    if option:
        return option[1]
    if app.framework == "create-react-app" and isinstance(package.get("homepage"), str):
        path = urlsplit(package["homepage"]).path.rstrip("/")
        return path if re.fullmatch(r"/[\w./-]+", path) else ""
    return next((match[1] for text in _configs(app) if (match := _BASE.search(text))), "")


def _configs(app: App) -> Iterator[str]:
    for name in sorted(app.tree.names(app.module.path)):
        if _CONFIGS.fullmatch(name):
            yield _COMMENT.sub("", (app.tree.text(app.inside(name)) or "")[:_LONGEST])
