"""Programs without a manifest: shell, COBOL, Scheme, Perl, Lua, R, Julia."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Ecosystem
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder


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
    frameworks: tuple[tuple[str, str, int, str], ...] = ()
    """Frameworks with what a file says that uses one, their ports, and what starts one (empty: the usual)."""
    manifests: tuple[tuple[str, str], ...] = ()
    """Files that declare dependencies, with the package manager that reads them."""
    starts: tuple[tuple[str, str], ...] = ()
    """What a first file says that another program starts, matched in its name and text, with the command."""
    inner: tuple[str, ...] = ()
    """Suffixes of files that are never started but tell the framework."""
    programs: tuple[str, ...] = ()
    """Folders of programs whose first line names the language, without a suffix."""


_PLUMBER = "\"plumber::pr_run(plumber::pr('{file}'), host='0.0.0.0', port=8000)\""
LANGUAGES = (
    Language("cobol", (".cbl", ".cob", ".cobol"), ("index", "main", "app"), "./{stem}", "cobc -x -o {stem} {file}", 71),
    Language("fortran", (".f90", ".f95", ".f"), ("main", "app"), "./{stem}", "gfortran -o {stem} {file}", 79),
    Language("pascal", (".pas", ".lpr"), ("main", "app"), "./{stem}", "fpc {file}", 79),
    Language(
        "d",
        (".d",),
        ("app", "main"),
        "dub run",
        rank=74,
        frameworks=(("vibe.d", r"\bimport\s+vibe\b", 8080, ""),),
        manifests=(("dub.json", "dub"), ("dub.sdl", "dub")),
    ),
    Language(
        "v",
        (".v",),
        ("main", "app", "server"),
        "v run {file}",
        rank=74,
        manifests=(("v.mod", "v"),),
        frameworks=(("vweb", r"^import\s+vweb\b", 8080, ""), ("veb", r"^import\s+veb\b", 8080, "")),
    ),
    Language(
        "kotlin",
        (".kt",),
        ("Main", "main", "App"),
        "java -jar {stem}.jar",
        "kotlinc {file} -include-runtime -d {stem}.jar",
        74,
    ),
    Language("scala", (".scala", ".sc"), ("Main", "main", "App"), "scala {file}", rank=74),
    Language(
        "scheme",
        (".scm", ".ss", ".sld", ".sps"),
        ("main", "index", "app", "server", "haunt"),
        "guile {file}",
        rank=72,
        frameworks=(("artanis", r"\(artanis artanis\)", 3000, ""), ("spiffy", r"\(import[^)]*\bspiffy\b", 8080, "")),
        starts=(
            (r"\A\S+\.scm\n#!.*\bcsi\b|\(import[^)]*\b(?:chicken|spiffy)\b", "csi -s {file}"),
            (r"\A\S+\n#!.*\bgosh\b|\(use gauche", "gosh {file}"),
            (r"\A\S+\n#!.*\bchibi-scheme\b|\(chibi ", "chibi-scheme {file}"),
        ),
    ),
    Language(
        "racket",
        (".rkt",),
        ("main", "server", "app"),
        "racket {file}",
        rank=73,
        frameworks=(("web-server", r"web-server/servlet-env|serve/servlet", 8000, ""),),
        manifests=(("info.rkt", "raco"),),
    ),
    Language(
        "perl",
        (".psgi", ".pl"),
        ("app", "main", "server", "index"),
        "perl {file}",
        rank=75,
        frameworks=(
            (
                "mojolicious",
                r"\buse\s+Mojo(?:licious|licious::Lite|::Base\s+'Mojolicious')",
                3000,
                "perl {file} daemon",
            ),
            ("dancer", r"\buse\s+Dancer2?\b", 5000, ""),
            ("catalyst", r"\buse\s+Catalyst\b", 3000, ""),
            ("plack", r"\buse\s+Plack\b", 5000, ""),
        ),
        manifests=(("cpanfile", "cpanm"), ("Makefile.PL", "cpanm"), ("Build.PL", "cpanm")),
        starts=((r"\A\S+\.psgi\n", "plackup {file}"),),
        inner=(".pm",),
        programs=("script", "bin"),
    ),
    Language(
        "lua",
        (".lua", ".moon"),
        ("main", "app", "init", "server"),
        "lua {file}",
        rank=76,
        frameworks=(
            ("lapis", r"require\W{0,2}[\"']lapis[\"']", 8080, "lapis server"),
            ("pegasus", r"require\W{0,2}[\"']pegasus[\"']", 9090, ""),
            ("turbo", r"require\W{0,2}[\"']turbo[\"']", 8888, "luajit {file}"),
        ),
        manifests=(("*.rockspec", "luarocks"),),
    ),
    Language(
        "julia",
        (".jl",),
        ("main", "app", "server"),
        "julia{project} {file}",
        rank=77,
        frameworks=(
            ("genie", r"\busing\s+[\w, ]*Genie\b", 8000, ""),
            ("oxygen", r"\busing\s+[\w, ]*Oxygen\b", 8080, ""),
        ),
        manifests=(("Project.toml", "pkg"),),
    ),
    Language(
        "r",
        (".R", ".r"),
        ("app", "main", "run", "run_api", "start", "server", "api", "plumber"),
        "Rscript {file}",
        rank=78,
        frameworks=(
            ("shiny", r"library\(shiny\)|shinyApp\(", 3838, ""),
            ("plumber", r"plumber::|library\(plumber\)|#\* @get", 8000, ""),
        ),
        manifests=(("renv.lock", "renv"),),
        starts=(
            (r"\A(?:server|ui)\.R\n", "R -e \"shiny::runApp('.')\""),
            (r"(?s)\A\S+\n(?!.*(?:pr_run|\$run)\().*#\* @(?:get|post)\b", f"Rscript -e {_PLUMBER}"),
        ),
    ),
    Language(
        "shell",
        (".sh", ".bash"),
        ("start", "run", "main", "entrypoint", "app", "index", "server", "hello"),
        "bash {file}",
        rank=89,
        starts=((r"\A\S+\n#!\s*(?:/usr)?/bin/(?:env\s+)?(?P<program>sh|zsh|ash)\b", "{program} {file}"),),
    ),
)


def describe(language: Language, folder: Folder, draft: ModuleDraft) -> None:
    """Claim the language by its files, and the file that is started by its name or because it is the only one."""
    files = folder.files(*language.suffixes, limit=200, depth=4) or _programs(language, folder)
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
    for pattern, manager in language.manifests:
        for path in folder.matching(pattern):
            draft.manifests.append(path)
            draft.package_manager.add(manager, "declared", folder.place(path))
    known = _stem(entry) in order or len(near) == 1
    facts = {"file": entry, "stem": _stem(entry), "project": " --project=." if folder.has("Project.toml") else ""}
    start = _claim_framework(language, folder, draft)
    text = f"{entry}\n{folder.source(entry)}"
    for sign, command in language.starts:
        if found := re.search(sign, text):
            facts.update(found.groupdict())
            start = command
            break
    draft.start.add(
        (start or language.start).format(**facts),
        "code" if known else "guess",
        place,
        confidence=0.75 if known else 0.5,
    )
    if language.build:
        draft.build.add(language.build.format(**facts), "framework", place)


def _programs(language: Language, folder: Folder) -> list[str]:
    listings = {inner: Folder(folder.tree, f"{folder.path}/{inner}".strip("/")).names for inner in language.programs}
    paths = [f"{inner}/{name}" for inner, names in listings.items() for name in sorted(names) if "." not in name]
    return [path for path in paths[:20] if re.match(rf"#!.*\b{language.name}\b", folder.source(path))]


def _claim_framework(language: Language, folder: Folder, draft: ModuleDraft) -> str:
    """Claim the first framework that a file uses; tell what starts it."""
    for name, sign, port, start in language.frameworks:
        if found := folder.find(sign, *language.suffixes, *language.inner):
            place = folder.place(found[0], found[1][0])
            draft.framework.add(name, "code", place)
            draft.role.add("web", "framework", place, confidence=0.9)
            draft.port.add(port, "framework", place)
            return start
    return ""


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


ECOSYSTEMS = tuple(
    Ecosystem(
        language.name,
        partial(describe, language),
        bare=tuple(f"{stem}{suffix}" for stem in language.usual for suffix in language.suffixes)
        + tuple(f"*{suffix}" for suffix in language.suffixes)
        + (tuple(manifest for manifest, _ in language.manifests) if language.programs else ()),
        sources=language.suffixes + language.inner,
        rank=language.rank,
    )
    for language in LANGUAGES
)
