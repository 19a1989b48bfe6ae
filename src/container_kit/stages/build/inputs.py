"""The inputs of a build, read and checked before anything changes."""

from __future__ import annotations

import contextlib
import difflib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import ca_certificates, caches, secrets
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.operator_policy import DEFAULT, OperatorPolicy
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.docker.image_reference import IMAGE_REFERENCE_INVALID, ImageReference, read_tag
from container_kit.stages.formats.dockerfile import (
    DOCKERFILE_NOT_FOUND,
    DOCKERFILE_SYNTAX,
    DOCKERFILE_UNREADABLE,
    ParsedDockerfile,
    is_dockerfile_name,
    parse_dockerfile,
)
from container_kit.stages.formats.dockerignore import IGNORE_INVALID, DockerIgnore, parse_ignore_file
from container_kit.stages.formats.workspace_files import read_workspace_file

TARGET_NOT_FOUND = FaultCode(
    "build.target_not_found",
    means="The Dockerfile has no stage with that name.",
    hint="Use one of the stages of {path}: {stages}.",
)
ARGUMENT_INVALID = FaultCode(
    "build.argument_invalid",
    means="A build argument, platform, builder or cache is not in the required form.",
    hint="Correct {what}: {form}.",
)

FAULTS = (
    DOCKERFILE_NOT_FOUND,
    DOCKERFILE_UNREADABLE,
    DOCKERFILE_SYNTAX,
    IGNORE_INVALID,
    IMAGE_REFERENCE_INVALID,
    TARGET_NOT_FOUND,
    ARGUMENT_INVALID,
    *secrets.FAULTS,
)

_USUAL_NAMES = ("Dockerfile", "dockerfile", "Containerfile")
_MAX_DOCKERFILE = 1 << 20
_MAX_LISTED = 20


@dataclass(frozen=True)
class Inputs:
    """The inputs of one build, read and checked."""

    root: Path
    """The resolved source folder."""
    context: Path
    parsed: ParsedDockerfile
    content: str = field(repr=False)
    """The Dockerfile's text."""
    reference: str
    """`name:tag` of the image."""
    ignore: DockerIgnore
    ignore_path: str
    """The path of the ignore file, relative to the root."""
    secrets: Mapping[str, bytes] = field(repr=False)
    redact: Redactor
    """Redacts the secrets of this build."""
    file: Path | None = None
    """The Dockerfile on disk; None for a proposal."""
    rewritten: bool = False
    """Whether `content` differs from the file on disk."""
    ignore_text: str = ""
    """The content of the ignore file."""

    @contextlib.contextmanager
    def dockerfile_folder(self) -> Iterator[tuple[Path, str]]:
        """Yield the folder and name of the Dockerfile. A proposal is written to a temporary folder."""
        if self.file is not None and not self.rewritten:
            real = self.file.resolve()  # the engine does not follow a link
            yield real.parent, real.name
            return
        with tempfile.TemporaryDirectory(prefix="container-kit-") as folder:
            (Path(folder) / "Dockerfile").write_text(self.content, encoding="utf-8")
            if self.ignore_text:
                (Path(folder) / "Dockerfile.dockerignore").write_text(self.ignore_text, encoding="utf-8")
            yield Path(folder), "Dockerfile"


def read_inputs(
    ctx: StageContext,
    source: Source,
    options: BuildOptions,
    generated: Dockerfile | None,
    policy: OperatorPolicy = DEFAULT,
) -> Inputs:
    """Read and check all inputs of a build. It blocks, but reads only small files.

    Raises:
        StageFailure: One of `FAULTS`, or a fault of the workspace.
    """
    root = ctx.workspace.directory(source.path)
    module = _folder_below(ctx, root, source.module)
    file, content = _read_dockerfile(ctx, root, module, options, generated)
    context = _find_context(ctx, root, module, options, generated, file)
    path = _relative(file, root) if file is not None else (generated.path if generated else "Dockerfile")
    parsed = parse_dockerfile(content, path, options.build_args)
    parsed.check()
    _check_target(parsed, options.target)
    _check_forms(options)
    build_secrets = secrets.read_secrets(ctx, root, options.secrets, policy)
    redact = secrets.redactor(options.build_args, build_secrets)
    if options.ca_file is not None:
        build_secrets |= secrets.read_ca_certificates(ctx, root, options.ca_file)
        content = ca_certificates.inject(content, parsed)
    proposed = generated.ignore if generated is not None and file is None else None
    ignore_file = _find_ignore_file(context, file)
    ignore_text = proposed if proposed is not None else (_read_text(ctx, ignore_file, root) if ignore_file else "")
    ignore_path = _relative(ignore_file, root) if ignore_file else ".dockerignore"
    return Inputs(
        root=root,
        context=context,
        parsed=parsed,
        content=content,
        reference=_reference(root, source.module, options.tag),
        ignore=parse_ignore_file(ignore_text, ignore_path),
        ignore_path=ignore_path,
        secrets=build_secrets,
        rewritten=options.ca_file is not None,
        redact=redact,
        file=file,
        ignore_text=ignore_text,
    )


def _folder_below(ctx: StageContext, root: Path, relative: str) -> Path:
    return root if relative in {"", "."} else ctx.workspace.directory(str(root / relative))


def _read_dockerfile(
    ctx: StageContext, root: Path, module: Path, options: BuildOptions, generated: Dockerfile | None
) -> tuple[Path | None, str]:
    """Read the Dockerfile: the requested one, the generated one, the module's, or the root's."""
    if options.dockerfile is None and generated is not None and not generated.written:
        return None, generated.content
    requested = options.dockerfile or (generated.path if generated is not None else None)
    if requested is not None:
        candidates = [root / requested]
    else:
        candidates = [folder / name for folder in dict.fromkeys((module, root)) for name in _USUAL_NAMES]
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        raise _not_found(root, module, requested or "Dockerfile")
    ctx.workspace.directory(str(file.resolve().parent))
    return file, _read_text(ctx, file, root)


def _not_found(root: Path, module: Path, requested: str) -> StageFailure:
    existing = sorted(_existing_dockerfiles(root, module))[:_MAX_LISTED]
    similar = difflib.get_close_matches(requested, existing, 3, 0.3)
    actions = [NextAction(why=f"{path} exists; build with it.", arguments={"dockerfile": path}) for path in similar]
    if not existing:
        actions = [NextAction(tool=ToolName.WRITE_DOCKERFILE, why="Generate a Dockerfile, then build again.")]
    evidence = [Evidence(kind="file", text=f"{requested} does not exist", where=requested)]
    return DOCKERFILE_NOT_FOUND(f"there is no {requested} in {root}", evidence=evidence, next_actions=actions)


def _existing_dockerfiles(root: Path, module: Path) -> Iterator[str]:
    """Find the Dockerfiles in the root, the module and the folders of the root."""
    folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for folder in dict.fromkeys((root, module, *folders)):
        with contextlib.suppress(OSError):
            yield from (_relative(path, root) for path in folder.iterdir() if _is_dockerfile(path))


def _is_dockerfile(path: Path) -> bool:
    return is_dockerfile_name(path.name) and path.is_file()


def _read_text(ctx: StageContext, path: Path, root: Path) -> str:
    shown = _relative(path, root)
    try:
        content = read_workspace_file(ctx.workspace, path, _MAX_DOCKERFILE).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        text = error.strerror or "unreadable" if isinstance(error, OSError) else "not UTF-8 text"
        evidence = [Evidence(kind="file", text=text, where=shown)]
        raise DOCKERFILE_UNREADABLE(
            f"{shown} cannot be read as text", evidence=evidence, next_actions=[_edit_and_retry(shown)], path=shown
        ) from error
    if "\0" in content:
        raise DOCKERFILE_UNREADABLE(f"{shown} is binary", next_actions=[_edit_and_retry(shown)], path=shown)
    return content.replace("\r\n", "\n").replace("\r", "\n")


def _find_context(
    ctx: StageContext, root: Path, module: Path, options: BuildOptions, generated: Dockerfile | None, file: Path | None
) -> Path:
    if options.context is not None:
        return _folder_below(ctx, root, options.context)
    of_module = generated is None and options.dockerfile is None and file is not None and file.parent == module
    return module if of_module else root


def _find_ignore_file(context: Path, file: Path | None) -> Path | None:
    """Find the Dockerfile's ignore file, else the one of the context, as BuildKit does."""
    specific = [file.with_name(f"{file.name}.dockerignore")] if file is not None else []
    return next((path for path in [*specific, context / ".dockerignore"] if path.is_file()), None)


def _edit_and_retry(path: str) -> NextAction:
    return NextAction(why=f"Correct {path}, then retry the run.")


def _reference(root: Path, module: str, tag: str | None) -> str:
    default = str(ImageReference.from_folder(root.name if module in {"", "."} else f"{root.name}-{module}"))
    if tag is None:
        return default
    try:
        return str(read_tag(tag))
    except StageFailure as failure:
        action = NextAction(why="Use a valid name.", arguments={"tag": default})
        raise StageFailure(failure.fault.model_copy(update={"next_actions": (action,)})) from failure


def _check_target(parsed: ParsedDockerfile, target: str | None) -> None:
    if target is None or parsed.stage(target) is not None or _is_number(target, len(parsed.stages)):
        return
    names = [stage.name for stage in parsed.stages if stage.name]
    similar = difflib.get_close_matches(target.lower(), names, 1, 0.0)
    actions = [NextAction(why=f"The stage {name} exists.", arguments={"target": name}) for name in similar]
    if not names:
        actions = [NextAction(why="No stage has a name; build the last one.", arguments={"target": None})]
    stages = ", ".join(names) or "no stage has a name, so omit target"
    evidence = [Evidence(kind="value", text=f"stages: {stages}", where=parsed.path)]
    raise TARGET_NOT_FOUND(
        f"{parsed.path} has no stage {target!r}",
        evidence=evidence,
        next_actions=actions,
        path=parsed.path,
        stages=stages,
    )


_FORMS = {
    "build_args": (r"[A-Za-z_][A-Za-z0-9_]*", "a name consists of letters, digits and `_`"),
    "platforms": (r"[a-z0-9_]+/[a-z0-9_]+(/[a-z0-9_]+)?", "a platform is OS/ARCHITECTURE, for example linux/arm64"),
    "builder": (r"[A-Za-z0-9][A-Za-z0-9_.-]*", "a builder's name has letters, digits, `.`, `-` and `_`"),
}


def _check_forms(options: BuildOptions) -> None:
    for what, (expression, form) in _FORMS.items():
        value = getattr(options, what)
        for text in [value] if isinstance(value, str) else value or ():
            if not re.fullmatch(expression, text):
                raise ARGUMENT_INVALID(f"{text[:100]!r} in {what}: {form}", what=what, form=form)
    for what in ("cache_from", "cache_to"):
        for text in getattr(options, what):
            if required := caches.explain_invalid(text):
                raise ARGUMENT_INVALID(f"{text[:100]!r} in {what}: {required}", what=what, form=required)


def _is_number(target: str, stages: int) -> bool:
    """Return whether a target is the number of a stage, which some builders accept."""
    return target.isascii() and target.isdigit() and int(target[:9]) < stages


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
