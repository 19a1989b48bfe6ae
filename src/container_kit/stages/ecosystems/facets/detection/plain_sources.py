"""Languages whose applications are source files without a manifest, or with one that only lists dependencies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder


@dataclass(frozen=True, slots=True)
class PlainLanguage:
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
    """Suffixes of files that are never started but show the framework."""
    programs: tuple[str, ...] = ()
    """Folders of programs whose first line names the language, without a suffix."""


def describe(language: PlainLanguage, folder: Folder, draft: ModuleDraft) -> None:
    """Claim the language by its files, and the file that is started by its name or because it is the only one."""
    files = folder.files(*language.suffixes, limit=200, depth=4) or _programs(language, folder)
    if not files:
        draft.role.add("library", "guess")
        return
    entry, sure = _entry(language, files)
    place = folder.place(entry)
    draft.language.add(language.name, "code", place, confidence=0.95)
    draft.entrypoint.add(entry, "code", place)
    draft.locked = True
    for pattern, manager in language.manifests:
        for path in folder.matching(pattern):
            draft.manifests.append(path)
            draft.package_manager.add(manager, "declared", folder.place(path))
    start = _claim_framework(language, folder, draft)
    facts = {"file": entry, "stem": _stem(entry), "project": " --project=." if folder.has("Project.toml") else ""}
    if shown := _start_shown(language, f"{entry}\n{folder.source(entry)}"):
        start, details = shown
        facts.update(details)
    command = (start or language.start).format(**facts)
    draft.start.add(command, "code" if sure else "guess", place, confidence=0.75 if sure else 0.5)
    if language.build:
        draft.build.add(language.build.format(**facts), "framework", place)


def _entry(language: PlainLanguage, files: list[str]) -> tuple[str, bool]:
    """Return the file that is started, and whether that is sure: it has a usual name, or is the only one."""
    order = {stem: number for number, stem in enumerate(language.usual)}
    outermost = min(path.count("/") for path in files)
    near = [path for path in files if path.count("/") <= max(outermost, 1)]
    entry = min(near, key=lambda path: (order.get(_stem(path), 99), path.count("/"), path))
    return entry, _stem(entry) in order or len(near) == 1


def _start_shown(language: PlainLanguage, text: str) -> tuple[str, dict[str, str]] | None:
    """Return the command of another program that a file's name and text ask for, with what they fill in."""
    for sign, command in language.starts:
        if match := re.search(sign, text):
            return command, match.groupdict()
    return None


def _programs(language: PlainLanguage, folder: Folder) -> list[str]:
    listings = {inner: Folder(folder.tree, f"{folder.path}/{inner}".strip("/")).names for inner in language.programs}
    paths = [f"{inner}/{name}" for inner, names in listings.items() for name in sorted(names) if "." not in name]
    return [path for path in paths[:20] if re.match(rf"#!.*\b{language.name}\b", folder.source(path))]


def _claim_framework(language: PlainLanguage, folder: Folder, draft: ModuleDraft) -> str:
    """Claim the first framework that a file uses; return its start command."""
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


def plain_detector(language: PlainLanguage) -> Detector:
    """Return the detector of a language."""
    entry_files = [f"{stem}{suffix}" for stem in language.usual for suffix in language.suffixes]
    entry_files += [f"*{suffix}" for suffix in language.suffixes]
    if language.programs:
        entry_files += [manifest for manifest, _ in language.manifests]
    return Detector(
        language.name,
        partial(describe, language),
        entry_files=tuple(entry_files),
        sources=language.suffixes + language.inner,
        rank=language.rank,
    )
