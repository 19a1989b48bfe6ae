"""Failures to pull a base image, and errors of the Dockerfile frontend."""

from __future__ import annotations

import difflib

from container_kit.stages.build.failures import codes
from container_kit.stages.build.failures.pattern import Failure, edit_and_retry, pattern, sign
from container_kit.stages.build.secrets import SECRET_NOT_FOUND
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import FaultCode, NextAction, StageFailure
from container_kit.stages.formats.dockerfile import Instruction

STAGE_NOT_FOUND = FaultCode(
    "build.stage_not_found",
    means="COPY --from or FROM names a stage that does not exist, and no image has that name.",
    hint="Write {near} instead of {stage} in {where}.",
)
FRONTEND_TOO_OLD = FaultCode(
    "build.frontend_too_old",
    means="The Dockerfile uses syntax that this engine's builder does not support.",
    hint="Rewrite {where} without {feature}, or use Docker Engine 23 or newer.",
)

BASE_UNAUTHORIZED = "build.base_unauthorized"

_NEWER_FLAGS = {
    "link",
    "parents",
    "exclude",
    "checksum",
    "keep-git-dir",
    "chmod",
    "network",
    "security",
    "start-interval",
}
_FLAGS = ("from", "chown", "chmod", "link", "mount", "platform", "interval", "timeout", "retries", "start-period")
_REGISTRY = r"(?:Head|Get|Post) \"?https?://(?P<registry>[^/\"]+)"


def _is_about_an_image(failure: Failure, _match: re.Match[str]) -> bool:
    instruction = failure.instruction
    return instruction is None or instruction.keyword == "FROM" or instruction.flag("from") is not None


def _is_download(failure: Failure, _match: re.Match[str]) -> bool:
    return failure.instruction is not None and failure.instruction.keyword == "ADD"


_IMAGE = r"(?P<image>[^\s:\"]+(?::\d+/[^\s:\"]+)?(?::[\w][\w.-]*)?)"

PATTERNS = (
    sign(
        codes.DOWNLOAD_FAILED,
        r"Get \"?(?P<url>https?://[^\s\"]+)\"?: (?P<why>.*)|invalid response status (?P<status>\d+)",
        "{url} could not be downloaded: {why}{status}",
        "Correct the URL in {where}, or download it in a RUN instruction, whose output shows more.",
        when=_is_download,
    ),
    pattern(
        "build.base_platform_unavailable",
        r"no match for platform in manifest|does not match the specified platform|exec /bin/sh: exec format error",
        "the base image is not available for the platform",
        means="The base image exists, but not for the platform of the build.",
        hint="Use a base image that is published for the platform, or remove --platform from {where}.",
    ),
    pattern(
        "build.platform_invalid",
        r"failed to parse platform (?P<platform>[^\s:]+)",
        "{platform} is not a platform",
        means="FROM --platform names a platform that does not exist.",
        hint="Write a platform such as linux/amd64 or linux/arm64 in {where}.",
    ),
    pattern(
        "build.base_invalid",
        r"(?:stage name|base name) \"?(?P<image>[^\"\s]+)\"?: invalid reference format(?:: (?P<why>.*))?",
        "{image} is not an image name: {why}",
        means="FROM has an argument that is not a valid image reference.",
        hint="Write the image's name in lower case and without spaces in {where}.",
    ),
    pattern(
        "build.base_empty",
        r"base name \((?P<name>[^)]*)\) should not be blank",
        "the base image {name} is empty",
        means="FROM uses an argument without a value.",
        hint="Set the argument in build_args, or give it a default in its ARG line before the first FROM ({name}).",
        actions=lambda _, match: [
            NextAction(
                why=f"Set {name} to the base image to use; this value is only an example.",
                arguments={"build_args": {name: "debian:bookworm-slim"}},
            )
            for name in re.findall(r"\w+", match["name"])[:1]
        ],
    ),
    pattern(
        "build.registry_tls",
        rf"{_REGISTRY}.*(?:x509: |tls: )",
        "the certificate of {registry} is not trusted by the engine",
        means="The engine does not trust the certificate of the base image's registry.",
        hint="Save the registry's CA certificate as /etc/docker/certs.d/{registry}/ca.crt on the engine host.",
    ),
    pattern(
        "build.registry_insecure",
        rf"{_REGISTRY}.*server gave HTTP response to HTTPS client",
        "{registry} uses plain HTTP",
        means="The base image's registry has no TLS, and the engine requires it.",
        hint="If you trust the network, add {registry} to the engine's `insecure-registries`.",
    ),
    pattern(
        "build.registry_not_found",
        rf"{_REGISTRY}.*(?:no such host|server misbehaving)",
        "the base image is not in the engine, and the name of the registry {registry} cannot be resolved",
        means="The base image must be pulled, but the host name of its registry does not resolve.",
        hint="Correct the registry's name in {where}, or use a base image that the engine has.",
        retryable=True,
    ),
    pattern(
        "build.registry_unreachable",
        rf"{_REGISTRY}.*(?:connection refused|i/o timeout|no route to host|timeout|EOF|reset by peer|unreachable)",
        "the base image is not in the engine, and the registry {registry} does not answer",
        means="The base image must be pulled, but its registry cannot be reached.",
        hint="Check that {registry} is up and reachable from the engine, or use a base image that the engine has.",
        retryable=True,
    ),
    pattern(
        BASE_UNAUTHORIZED,
        rf"{_IMAGE}: (?:pull access denied|failed to authorize|.*(?:authorization failed|401 |403 ))"
        r"|no basic auth credentials|insufficient_scope",
        "the registry denies access to the base image {image}",
        means="The base image is private and the credentials are missing or wrong, or it does not exist.",
        hint="Log in with `docker login`. If {image} is public, check its name: registries also answer this to a typo.",
    ),
    pattern(
        "build.base_not_found",
        rf"(?:{_IMAGE}: (?:manifest unknown|not found)|manifest for {_IMAGE.replace('image', 'manifest')} not found)",
        "the base image {image}{manifest} does not exist",
        means="The registry has no such image or tag.",
        hint="Correct the name or the tag of {image}{manifest} in {where}.",
        when=_is_about_an_image,
    ),
    pattern(
        "build.user_not_found",
        r"unable to find (?P<kind>user|group) (?P<user>[^:\s]+)",
        "the image has no {kind} {user}",
        means="USER or COPY --chown names a user or group that the image does not have.",
        hint="Create the {kind} before {where} (`RUN useradd --system {user}`), or use a numeric id.",
    ),
)

FAULTS = (STAGE_NOT_FOUND, FRONTEND_TOO_OLD, *(pattern.code for pattern in PATTERNS))

_PARSE = re.compile(r"parse error (?:on )?line (\d+): (?P<message>.+)")
_UNKNOWN_FLAG = re.compile(r"[Uu]nknown flag: -*(?P<flag>[^\s=]+)")
_LOOSE = re.compile(r"(?P<message>Syntax error - .+|[Ii]nvalid containerPort: .+|.*: requires? .+ arguments?.*)")
_SECRET = re.compile(r"secret (?P<id>[^\s:]+)(?:: | )not found")


def explain_frontend(failure: Failure) -> StageFailure | None:
    """Create the fault of a Dockerfile that the engine's frontend cannot parse; None for other failures."""
    error = _PARSE.search(failure.error) or _LOOSE.search(failure.error)
    if error is None or "failed to walk" in failure.error:
        return None
    message = error["message"].strip()
    match = _UNKNOWN_FLAG.search(failure.error)
    flag = match["flag"] if match else ""
    instruction = failure.instruction or _quoted_instruction(failure, message)
    heredoc = instruction is not None and instruction.heredocs and "unknown instruction" in message
    if heredoc or flag in _NEWER_FLAGS:
        return _too_old(failure, f"--{flag}" if flag else "a here-document")
    near = difflib.get_close_matches(flag, _FLAGS, 1, 0.5) if flag else []
    repair = f"{message}; did you mean --{near[0]}?" if near else message
    source, line = (instruction.source, instruction.line) if instruction else ("", 0)
    return failure.inputs.parsed.fault(line, source, repair)


def _too_old(failure: Failure, feature: str) -> StageFailure:
    where = failure.where
    return FRONTEND_TOO_OLD(
        f"{where}: this engine's builder does not support {feature}",
        evidence=failure.evidence(),
        next_actions=[edit_and_retry(FRONTEND_TOO_OLD.hint.format(where=where, feature=feature))],
        where=where,
        feature=feature,
    )


def _quoted_instruction(failure: Failure, message: str) -> Instruction | None:
    """Find the instruction with the word that the frontend quotes in a message without a line."""
    word = (
        message.rsplit(": ", 1)[-1].strip()
        if message.lower().startswith("invalid")
        else (re.findall(r"\"([^\"]+)\"", message) or [""])[0]
    )
    return next((one for one in failure.inputs.parsed.instructions if word and word in one.source.split()), None)


def explain_stage(failure: Failure) -> StageFailure | None:
    """Create the fault of a misspelt stage in `--from`, which the builder takes for the name of an image."""
    parsed = failure.inputs.parsed
    names = [stage.name for stage in parsed.stages if stage.name]
    for instruction in parsed.instructions:
        stage = instruction.flag("from")
        if not stage or parsed.source_stage(stage) is not None or stage not in failure.error:
            continue
        near = difflib.get_close_matches(stage, names, 1, 0.6)
        if near:
            where = f"{parsed.path}:{instruction.line}"
            repair = STAGE_NOT_FOUND.hint.format(near=near[0], stage=stage, where=where)
            return STAGE_NOT_FOUND(
                f"{where}: there is no stage {stage}, but {near[0]}",
                evidence=failure.at(instruction).evidence(),
                next_actions=[edit_and_retry(repair)],
                near=near[0],
                stage=stage,
                where=where,
            )
    return None


def explain_secret(failure: Failure) -> StageFailure | None:
    """Create the fault of a secret that the Dockerfile requires and the call did not give; None for other failures."""
    match = _SECRET.search(failure.error)
    if match is None:
        return None
    variable = re.sub(r"\W", "_", match["id"]).upper()
    why = f"Give the secret. {variable} stands for a variable of the server process that holds it."
    action = NextAction(why=why, arguments={"secrets": {match["id"]: f"env:{variable}"}})
    message = f"{failure.where}: the secret {match['id']} was not given"
    return SECRET_NOT_FOUND(message, evidence=failure.evidence(), next_actions=[action], id=match["id"])
