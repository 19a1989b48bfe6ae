"""Static sites: plain HTML, and the generators that have no other home."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

_HOMES = (
    "index.html",
    "public/index.html",
    "html/index.html",
    "site/index.html",
    "www/index.html",
    "static/index.html",
    "src/index.html",
    "dist/index.html",
    "build/index.html",
    "docs/index.html",
    "htdocs/index.html",
    "public_html/index.html",
    "wwwroot/index.html",
    "web/index.html",
    "index.htm",
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Claim a site of files as they are."""
    home = folder.first(*_HOMES) or (folder.matching("*.html", "*.htm") or ["Staticfile"])[0]
    declared = folder.first("Staticfile")
    place = folder.place(declared or home)
    draft.language.add("html", "declared" if declared else "code", place, confidence=0.95)
    draft.role.add("static", "declared" if declared else "code", place, confidence=0.95)
    draft.output.add(home.rpartition("/")[0] or ".", "code", place)
    draft.port.add(80, "framework", place, confidence=0.5)
    draft.locked = True


def describe_hugo(folder: Folder, draft: ModuleDraft) -> None:
    """Hugo builds a site from Markdown."""
    config = (
        folder.first("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config.toml", "config.yaml") or "hugo.toml"
    )
    place = folder.place(config)
    draft.manifests.append(config)
    draft.language.add("html", "configuration", place, confidence=0.6)
    draft.framework.add("hugo", "declared", place)
    draft.role.add("static", "framework", place, confidence=0.95)
    draft.build.add("hugo --minify", "framework", place, confidence=0.85)
    draft.start.add("hugo server --bind 0.0.0.0", "framework", place, confidence=0.5)
    draft.output.add("public", "framework", place)
    draft.port.add(1313, "framework", place)


def describe_mkdocs(folder: Folder, draft: ModuleDraft) -> None:
    """MkDocs builds a site from Markdown with Python."""
    place = folder.place("mkdocs.yml")
    draft.manifests.append("mkdocs.yml")
    draft.language.add("python", "configuration", place, confidence=0.6)
    draft.framework.add("mkdocs", "declared", place)
    draft.package_manager.add("pip", "framework", place)
    draft.role.add("static", "framework", place, confidence=0.95)
    draft.build.add("mkdocs build", "framework", place, confidence=0.85)
    draft.start.add("mkdocs serve", "framework", place, confidence=0.5)
    draft.output.add("site", "framework", place)
    draft.port.add(8000, "framework", place)


def describe_zola(folder: Folder, draft: ModuleDraft) -> None:
    """Zola builds a site from Markdown."""
    config = folder.first("config.toml", "zola.toml") or "config.toml"
    place = folder.place(config)
    draft.manifests.append(config)
    draft.language.add("html", "configuration", place, confidence=0.6)
    draft.framework.add("zola", "declared", place)
    draft.role.add("static", "framework", place, confidence=0.95)
    draft.build.add("zola build", "framework", place, confidence=0.85)
    draft.start.add("zola serve --interface 0.0.0.0", "framework", place, confidence=0.5)
    draft.output.add("public", "framework", place)
    draft.port.add(1111, "framework", place)


def _is_hugo(folder: Folder) -> bool:
    text = folder.text(folder.first("config.toml", "config.yaml", "config.yml"))
    return re.search(r"^\s*baseurl\b", text, re.IGNORECASE | re.MULTILINE) is not None and folder.has_folder("content")


def _is_zola(folder: Folder) -> bool:
    return re.search(r"^\s*base_url\b", folder.text("config.toml"), re.MULTILINE) is not None


DETECTORS = (
    Detector("hugo", describe_hugo, manifests=("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json"), rank=55),
    Detector("hugo-config", describe_hugo, entry_files=("config.toml", "config.yaml"), recognises=_is_hugo, rank=56),
    Detector("zola", describe_zola, entry_files=("config.toml",), recognises=_is_zola, rank=57),
    Detector("mkdocs", describe_mkdocs, entry_files=("mkdocs.yml",), rank=85),
    Detector(
        "static", describe, manifests=("Staticfile",), entry_files=(*_HOMES, "*.html"), sources=(".html",), rank=90
    ),
)
