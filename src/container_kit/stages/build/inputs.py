"""What a build starts from: the caller's words checked and made a `BuildRequest`, before anything is changed."""

from __future__ import annotations

import contextlib
import difflib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import ca_certificates as authorities
from container_kit.stages.build import reference
from container_kit.stages.build import secrets as build_secrets
from container_kit.stages.build.context.ignore import Patterns
from container_kit.stages.build.dockerfile import ParsedDockerfile, parse
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.contract.tool_names import ToolName

DOCKERFILE_MISSING = FaultCode(
    "dockerfile.missing",
    means="There is no Dockerfile where one was looked for.",
    hint="Name the Dockerfile (`dockerfile`), or have one generated.",
)
DOCKERFILE_UNREADABLE = FaultCode(
    "dockerfile.unreadable",
    means="The Dockerfile cannot be read, or is no text.",
    hint="Make {path} a readable text file in UTF-8.",
)
IGNORE_INVALID = FaultCode(
    "dockerfile.ignore_invalid",
    means="A line of .dockerignore is no pattern.",
    hint="Correct the pattern in {path}.",
)
TAG_INVALID = FaultCode(
    "build.tag_invalid",
    means="The tag is not a valid image reference.",
    hint="Use lower-case letters, digits, `-`, `_`, `.` and `/`, for example {example}.",
)
TARGET_UNKNOWN = FaultCode(
    "build.target_unknown",
    means="The Dockerfile has no stage of that name.",
    hint="Use one of the stages of {path}: {stages}.",
)
ARGUMENT_INVALID = FaultCode(
    "build.argument_invalid",
    means="A build argument, platform, builder or cache is not in the form that it needs.",
    hint="Correct {what}: {form}.",
)

FAULTS = (
    DOCKERFILE_MISSING,
    DOCKERFILE_UNREADABLE,
    IGNORE_INVALID,
    TAG_INVALID,
    TARGET_UNKNOWN,
    ARGUMENT_INVALID,
    *build_secrets.FAULTS,
)

_USUAL_NAMES = ("Dockerfile", "dockerfile", "Containerfile")
_LARGEST_DOCKERFILE = 1 << 20


@dataclass(frozen=True)
class Inputs:
    """One build, everything about it read and checked."""

    root: Path
    """The resolved source folder."""
    context: Path
    parsed: ParsedDockerfile
    content: str = field(repr=False)
    """The Dockerfile's text."""
    reference: str
    ignore: Patterns
    ignore_path: str
    """Where the ignore patterns stand, relative to the root."""
    secrets: Mapping[str, bytes] = field(repr=False)
    redact: Redactor
    """Hides the secrets of this build."""
    file: Path | None = None
    """The Dockerfile on disk; None for one that was only proposed."""
    rewritten: bool = False
    """Whether `content` differs from what is on disk."""
    ignore_text: str = ""
    """The ignore file's content."""

    @contextlib.contextmanager
    def dockerfile_folder(self) -> Iterator[tuple[Path, str]]:
        """The folder and name of the Dockerfile; one that was only proposed is put in a folder for the while."""
        if self.file is not None and not self.rewritten:
            real = self.file.resolve()  # a link is not followed by the engine
            yield real.parent, real.name
            return
        with tempfile.TemporaryDirectory(prefix="container-kit-") as folder:
            (Path(folder) / "Dockerfile").write_text(self.content, encoding="utf-8")
            if self.ignore_text:
                (Path(folder) / "Dockerfile.dockerignore").write_text(self.ignore_text, encoding="utf-8")
            yield Path(folder), "Dockerfile"


def read(ctx: StageContext, source: Source, options: BuildOptions, dockerfile: Dockerfile | None) -> Inputs:
    """Read and check everything that a build needs but the engine. It blocks for small files only.

    Raises:
        StageFailure: One of `FAULTS`, of the workspace's or of the Dockerfile's.
    """
    root = ctx.workspace.directory(source.path)
    module = _below(ctx, root, source.module)
    file, content = _dockerfile(ctx, root, module, options, dockerfile)
    context = _context(ctx, root, module, options, dockerfile, file)
    path = _relative(file, root) if file is not None else (dockerfile.path if dockerfile else "Dockerfile")
    parsed = parse(content, path)
    parsed.check()
    _check_target(parsed, options.target)
    _check_forms(options)
    secrets = build_secrets.read(ctx, root, options.secrets)
    redact = build_secrets.redactor(options.build_args, secrets)
    if options.ca_file is not None:
        secrets |= build_secrets.read_authorities(ctx, root, options.ca_file)
        content = authorities.inject(content, parsed)
    proposed = dockerfile.ignore if dockerfile is not None and file is None else None
    ignore_file = _ignore_file(context, file)
    text = proposed if proposed is not None else (_text(ignore_file, root) if ignore_file else "")
    ignore_path = _relative(ignore_file, root) if ignore_file else ".dockerignore"
    return Inputs(
        root=root,
        context=context,
        parsed=parsed,
        content=content,
        reference=_reference(root, source.module, options.tag),
        ignore=_patterns(text, ignore_path),
        ignore_path=ignore_path,
        secrets=secrets,
        rewritten=options.ca_file is not None,
        redact=redact,
        file=file,
        ignore_text=text,
    )


def _below(ctx: StageContext, root: Path, relative: str) -> Path:
    return root if relative in {"", "."} else ctx.workspace.directory(str(root / relative))


def _dockerfile(
    ctx: StageContext, root: Path, module: Path, options: BuildOptions, made: Dockerfile | None
) -> tuple[Path | None, str]:
    """Find the Dockerfile: the one asked for, the one made, the module's, the root's."""
    if options.dockerfile is None and made is not None and not made.written:
        return None, made.content
    asked = options.dockerfile or (made.path if made is not None else None)
    if asked is not None:
        candidates = [root / asked]
    else:
        candidates = [folder / name for folder in dict.fromkeys((module, root)) for name in _USUAL_NAMES]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise _missing(root, module, asked)
    ctx.workspace.directory(str(found.resolve().parent))
    return found, _text(found, root)


def _missing(root: Path, module: Path, asked: str | None) -> StageFailure:
    locations = sorted(
        _relative(path, root)
        for folder in dict.fromkeys((root, module, *(p for p in root.iterdir() if p.is_dir() and p.name[0] != ".")))
        for path in folder.glob("*ockerfile*")
        if path.is_file() and not path.name.endswith(".dockerignore")
    )[:20]
    near = difflib.get_close_matches(asked or "Dockerfile", locations, 3, 0.3)
    actions = [NextAction(why=f"{path} is there; build with it.", arguments={"dockerfile": path}) for path in near]
    if not locations:
        actions = [NextAction(tool=ToolName.WRITE_DOCKERFILE, why="Have a Dockerfile written, then build again.")]
    looked = asked or "Dockerfile"
    evidence = [Evidence(kind="file", text=f"{looked} does not exist", where=looked)]
    return DOCKERFILE_MISSING(f"there is no {looked} in {root}", evidence=evidence, next_actions=actions)


def _text(path: Path, root: Path) -> str:
    shown = _relative(path, root)
    try:
        if path.stat().st_size > _LARGEST_DOCKERFILE:
            raise DOCKERFILE_UNREADABLE(f"{shown} is over {_LARGEST_DOCKERFILE >> 20} MB", path=shown)
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        evidence = [Evidence(kind="file", text=str(error), where=shown)]
        raise DOCKERFILE_UNREADABLE(
            f"{shown} cannot be read as text", evidence=evidence, next_actions=[_after_edit(shown)], path=shown
        ) from error
    if "\0" in content:
        raise DOCKERFILE_UNREADABLE(f"{shown} is binary", next_actions=[_after_edit(shown)], path=shown)
    return content


def _context(
    ctx: StageContext, root: Path, module: Path, options: BuildOptions, made: Dockerfile | None, file: Path | None
) -> Path:
    if options.context is not None:
        return _below(ctx, root, options.context)
    modules_own = made is None and options.dockerfile is None and file is not None and file.parent == module
    return module if modules_own else root


def _ignore_file(context: Path, file: Path | None) -> Path | None:
    """The Dockerfile's own ignore file wins over the context's, as with BuildKit."""
    own = [file.with_name(f"{file.name}.dockerignore")] if file is not None else []
    return next((path for path in [*own, context / ".dockerignore"] if path.is_file()), None)


def _patterns(text: str, path: str) -> Patterns:
    try:
        return Patterns.of_ignore_file(text)
    except ValueError as error:
        raise IGNORE_INVALID(f"{path}: {error}", next_actions=[_after_edit(path)], path=path) from error


def _after_edit(path: object) -> NextAction:
    return NextAction(why=f"Correct {path}, then make the same call again.")


def _reference(root: Path, module: str, tag: str | None) -> str:
    own = reference.from_folder(root.name if module in {"", "."} else f"{root.name}-{module}")
    if tag is None:
        return own
    try:
        return reference.complete(tag)
    except ValueError as error:
        actions = [NextAction(why="Use a valid name.", arguments={"tag": own})]
        raise TAG_INVALID(str(error), next_actions=actions, example=own) from error


def _check_target(parsed: ParsedDockerfile, target: str | None) -> None:
    names = [stage.name.lower() for stage in parsed.stages if stage.name]
    numbers = [str(number) for number in range(len(parsed.stages))]
    if target is None or target.lower() in {*names, *numbers}:
        return
    near = difflib.get_close_matches(target.lower(), names, 1, 0.0)
    actions = [NextAction(why=f"The stage {name} exists.", arguments={"target": name}) for name in near]
    if not names:
        actions = [NextAction(why="No stage has a name; build the last one.", arguments={"target": None})]
    stages = ", ".join(names) or "none has a name; leave target out"
    evidence = [Evidence(kind="value", text=f"stages: {stages}", where=parsed.path)]
    raise TARGET_UNKNOWN(
        f"{parsed.path} has no stage {target!r}",
        evidence=evidence,
        next_actions=actions,
        path=parsed.path,
        stages=stages,
    )


# A cache in a local folder would be a path that escapes the workspace.
_CACHE = (r"[\w./:@-]+|type=(registry|inline|gha|s3|azblob)(,\S*)?", "a cache lies in a registry, gha, s3 or azblob")
_FORMS = {
    "build_args": (r"[A-Za-z_][A-Za-z0-9_]*", "a name is of letters, digits and `_`"),
    "platforms": (r"[a-z0-9_]+/[a-z0-9_]+(/[a-z0-9_]+)?", "a platform is OS/ARCHITECTURE, for example linux/arm64"),
    "builder": (r"[\w.-]+", "a builder's name is of letters, digits, `.`, `-` and `_`"),
    "cache_from": _CACHE,
    "cache_to": _CACHE,
}


def _check_forms(options: BuildOptions) -> None:
    for what, (expression, form) in _FORMS.items():
        value = getattr(options, what)
        for text in [value] if isinstance(value, str) else value or ():
            if not re.fullmatch(expression, text):
                raise ARGUMENT_INVALID(f"{text[:100]!r} in {what}: {form}", what=what, form=form)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
