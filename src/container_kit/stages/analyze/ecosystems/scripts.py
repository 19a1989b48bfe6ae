"""Programs without a manifest: shell, COBOL, Scheme, Perl, Lua, R, Julia."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from container_kit.stages.analyze.claims import Draft
from container_kit.stages.analyze.ecosystem import Ecosystem
from container_kit.stages.analyze.folder import Folder


@dataclass(frozen=True, slots=True)
class Language:
    """A language whose files are run as they are, or compiled one by one."""

    name: str
    suffixes: tuple[str, ...]
    usual: tuple[str, ...]
    """Stems of the file that is started, the likeliest first."""
    start: str
    build: str | None = None
    rank: int = 80
    frameworks: tuple[tuple[str, str, int], ...] = ()
    """Frameworks with what a file says that uses one, and their ports."""
    manifests: tuple[tuple[str, str], ...] = ()
    """Files that declare dependencies, with the package manager that reads them."""


LANGUAGES = (
    Language("cobol", (".cbl", ".cob", ".cobol"), ("index", "main", "app"), "./{stem}", "cobc -x -o {stem} {file}", 71),
    Language("scheme", (".scm", ".ss", ".sld"), ("main", "index", "app", "server", "haunt"), "guile {file}", None, 72),
    Language(
        "racket",
        (".rkt",),
        ("main", "server", "app"),
        "racket {file}",
        None,
        73,
        (("web-server", r"web-server/servlet-env|serve/servlet", 8000),),
    ),
    Language(
        "perl",
        (".pl", ".psgi"),
        ("app", "main", "server", "index"),
        "perl {file}",
        None,
        75,
        (
            ("mojolicious", r"\buse\s+Mojo(?:licious|licious::Lite)\b", 3000),
            ("dancer", r"\buse\s+Dancer2?\b", 5000),
            ("plack", r"\buse\s+Plack\b", 5000),
        ),
        (("cpanfile", "cpanm"),),
    ),
    Language("lua", (".lua",), ("main", "app", "init", "server"), "lua {file}", None, 76),
    Language(
        "julia",
        (".jl",),
        ("main", "app", "server"),
        "julia {file}",
        None,
        77,
        (("genie", r"\busing\s+[\w, ]*Genie\b", 8000), ("oxygen", r"\busing\s+[\w, ]*Oxygen\b", 8080)),
        (("Project.toml", "pkg"),),
    ),
    Language(
        "r",
        (".R", ".r"),
        ("app", "main", "plumber", "server"),
        "Rscript {file}",
        None,
        78,
        (
            ("shiny", r"library\(shiny\)|shinyApp\(", 3838),
            ("plumber", r"plumber::|library\(plumber\)|#\* @get", 8000),
        ),
        (("renv.lock", "renv"),),
    ),
    Language(
        "shell",
        (".sh", ".bash"),
        ("start", "run", "main", "entrypoint", "app", "index", "server", "hello"),
        "bash {file}",
        None,
        89,
    ),
)


def describe(language: Language, folder: Folder, draft: Draft) -> None:
    """Claim the language by its files, and the file that is started by its name or because it is the only one."""
    files = folder.files(*language.suffixes, limit=200, depth=4)
    if not files:
        draft.role.add("library", "guess")
        return
    order = {stem: number for number, stem in enumerate(language.usual)}
    outermost = min(path.count("/") for path in files)
    near = [path for path in files if path.count("/") <= max(outermost, 1)]
    entry = min(near, key=lambda path: (order.get(_stem(path), 99), path.count("/"), path))
    place = folder.place(entry)
    draft.language.add(language.name, "code", place, confidence=0.95)
    draft.entrypoint.add(entry, "code", place)
    draft.locked = True
    for path, manager in language.manifests:
        if folder.has(path):
            draft.manifests.append(path)
            draft.package_manager.add(manager, "declared", folder.place(path))
    _claim_framework(language, folder, draft)
    known = _stem(entry) in order or len(near) == 1
    facts = {"file": entry, "stem": _stem(entry)}
    shebang = (
        re.match(r"#!\s*(?:/usr)?/bin/(?:env\s+)?(\w+)", folder.source(entry)) if language.name == "shell" else None
    )
    start = (
        f"{shebang[1]} {entry}"
        if shebang and shebang[1] in {"sh", "bash", "zsh", "ash"}
        else language.start.format(**facts)
    )
    draft.start.add(start, "code" if known else "guess", place, confidence=0.75 if known else 0.5)
    if language.build:
        draft.build.add(language.build.format(**facts), "framework", place)


def _claim_framework(language: Language, folder: Folder, draft: Draft) -> None:
    for name, sign, port in language.frameworks:
        if found := folder.find(sign, *language.suffixes):
            place = folder.place(found[0], found[1][0])
            draft.framework.add(name, "code", place)
            draft.role.add("web", "framework", place, confidence=0.9)
            draft.port.add(port, "framework", place)
            return


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


ECOSYSTEMS = tuple(
    Ecosystem(
        language.name,
        partial(describe, language),
        bare=tuple(f"{stem}{suffix}" for stem in language.usual for suffix in language.suffixes)
        + tuple(f"*{suffix}" for suffix in language.suffixes),
        sources=language.suffixes,
        rank=language.rank,
    )
    for language in LANGUAGES
)
