"""Where an image keeps what the application writes next to its code."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace

from container_kit.stages.artifacts.analysis import StatePath
from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.recipe import RuntimeImage, chain
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word

_LANGUAGES = {"python", "javascript", "typescript", "ruby", "php"}
"""Languages whose images hold the source and a shell."""
_CODE = re.compile(r".*\.(?:py|js|ts|mjs|cjs|jsx|tsx|rb|php)")
_DATA = "/data"
"""The folder of databases that lie among the code; a symbolic link leads to each."""
_MAX_VOLUMES = 6
_SYSTEM = ("/tmp", "/proc", "/sys", "/dev", "/etc", "/usr", "/bin", "/lib", "/opt")  # noqa: S108 - not written here


@dataclass(frozen=True, slots=True)
class StateLayout:
    """The writable places of an image."""

    volumes: tuple[str, ...] = ()
    """Folders whose content survives a new version."""
    links: tuple[tuple[str, str], ...] = ()
    """Each file among the code, with its place in a volume."""
    writable: str | None = None
    """The folder with the code, if the application writes to it."""
    reasons: tuple[Reason, ...] = ()


def state_layout(app: App) -> StateLayout:
    """Return the layout for what the analysis found; empty for languages whose image has no source."""
    if app.language not in _LANGUAGES or app.role == "static" or not app.module.state:
        return StateLayout()
    volumes: dict[str, StatePath] = {}
    links: dict[str, str] = {}
    for found in app.module.state:
        if found.kind == "files":
            continue
        folder = _folder(app, found)
        if folder is None:
            links[f"{app.folder}/{found.path}"] = f"{_DATA}/{posixpath.basename(found.path)}"
            volumes.setdefault(_DATA, found)
        elif folder and not any(folder.startswith(f"{volume}/") for volume in volumes):
            volumes.setdefault(folder, found)
    kept = dict(list(volumes.items())[:_MAX_VOLUMES])
    reasons = [
        Reason(decision=f"volume {path}", rationale=f"a new version keeps its {found.kind}", locations=found.locations)
        for path, found in kept.items()
    ]
    places = next((found.locations for found in app.module.state if found.kind == "files"), ())
    rationale = "the application writes files next to its code"
    reasons.append(Reason(decision=f"{app.folder} is writable", rationale=rationale, locations=places))
    return StateLayout(tuple(kept), tuple(links.items()), app.folder, tuple(reasons))


def _folder(app: App, found: StatePath) -> str | None:
    """Return the folder to keep; None for a file among the code, empty for a place that cannot be kept."""
    name = found.path.rstrip("/") if found.path.endswith("/") else posixpath.dirname(found.path)
    if found.path.startswith("/"):
        usable = name not in {"", "/"} and not name.startswith(_SYSTEM) and not app.folder.startswith(name)
        return name if usable else ""
    if not name or _holds_code(app, name):
        return "" if found.path.endswith("/") else None
    return f"{app.folder}/{name}"


def _holds_code(app: App, folder: str) -> bool:
    return any(_CODE.fullmatch(name) for name in app.tree.names(app.inside(folder)))


def with_state(runtime: RuntimeImage, layout: StateLayout, user: str) -> RuntimeImage:
    """Give the application's user the code and the folders that it writes."""
    if layout.writable is None:
        return runtime
    owned = tuple(_owned(line, user) for line in runtime.copies)
    folders = " ".join(map(shell_word, (layout.writable, *layout.volumes)))
    moves = [
        f"if [ -f {shell_word(link)} ]; then mv {shell_word(link)} {shell_word(target)}; fi"
        for link, target in layout.links
    ]
    linked = [
        chain(f"mkdir -p {shell_word(posixpath.dirname(link))}", f"ln -sf {shell_word(target)} {shell_word(link)}")
        for link, target in layout.links
    ]
    prepared = chain(f"mkdir -p {folders}", *moves, *linked, f"chown {user} {folders}")
    return replace(runtime, copies=(*owned, f"RUN {prepared}"))


def _owned(instruction: str, user: str) -> str:
    """Let a COPY of code, also one of several in a text, give the files to the application's user."""
    lines = instruction.split("\n")
    return "\n".join(f"COPY --chown={user} {line[5:]}" if _copies_code(line) else line for line in lines)


def _copies_code(line: str) -> bool:
    return line.startswith("COPY ") and "/opt/venv" not in line and "--chown" not in line
