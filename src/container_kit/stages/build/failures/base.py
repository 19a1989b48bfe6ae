"""Failures to get a base image, and of the Dockerfile's frontend."""

from __future__ import annotations

import difflib
import re

from container_kit.stages.build.dockerfile import Instruction
from container_kit.stages.build.failures.pattern import Failure, edit_and_retry, sign
from container_kit.stages.build.secrets import SECRET_NOT_FOUND
from container_kit.stages.contract.fault import FaultCode, NextAction, StageFailure

STAGE_NOT_FOUND = FaultCode(
    "build.stage_not_found",
    means="COPY --from or FROM names a stage that does not exist, and no image of that name was found.",
    hint="Write {near} instead of {stage} in {where}.",
)
FRONTEND_TOO_OLD = FaultCode(
    "build.frontend_too_old",
    means="The Dockerfile uses a syntax that this engine's builder does not know yet.",
    hint="Rewrite {where} without {feature}, or use Docker Engine 23 or newer.",
)

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
    return instruction is None or instruction.word == "FROM" or "--from=" in instruction.rest


def _is_download(failure: Failure, _match: re.Match[str]) -> bool:
    return failure.instruction is not None and failure.instruction.word == "ADD"


_IMAGE = r"(?P<image>[^\s:\"]+(?::\d+/[^\s:\"]+)?(?::[\w][\w.-]*)?)"

SIGNS = (
    sign(
        "build.download_failed",
        r"Get \"?(?P<url>https?://[^\s\"]+)\"?: (?P<why>.*)|invalid response status (?P<status>\d+)",
        "{url} could not be downloaded: {why}{status}",
        means="ADD could not fetch a URL.",
        hint="Correct the URL in {where}, or fetch it in a RUN instruction that says more.",
        retryable=True,
        when=_is_download,
    ),
    sign(
        "build.base_platform_unavailable",
        r"no match for platform in manifest|does not match the specified platform|exec /bin/sh: exec format error",
        "the base image is not available for the platform",
        means="The base image exists, but not for the platform that is built for.",
        hint="Use a base image that is published for the platform, or take --platform out of {where}.",
    ),
    sign(
        "build.platform_invalid",
        r"failed to parse platform (?P<platform>[^\s:]+)",
        "{platform} is not a platform",
        means="FROM --platform names no platform that exists.",
        hint="Write a platform such as linux/amd64 or linux/arm64 in {where}.",
    ),
    sign(
        "build.base_invalid",
        r"(?:stage name|base name) \"?(?P<image>[^\"\s]+)\"?: invalid reference format(?:: (?P<why>.*))?",
        "{image} is not an image name: {why}",
        means="FROM names something that is not a valid image reference.",
        hint="Write the image's name in lower case and without spaces in {where}.",
    ),
    sign(
        "build.base_empty",
        r"base name \((?P<name>[^)]*)\) should not be blank",
        "the base image {name} is empty",
        means="FROM uses an argument that has no value.",
        hint="Give the argument in build_args, or a default in its ARG line before the first FROM ({name}).",
        actions=lambda _, match: [
            NextAction(
                why=f"Give {name} a value, the base image to use; this one is only an example.",
                arguments={"build_args": {name: "debian:bookworm-slim"}},
            )
            for name in re.findall(r"\w+", match["name"])[:1]
        ],
    ),
    sign(
        "build.registry_tls",
        rf"{_REGISTRY}.*(?:x509: |tls: )",
        "the certificate of {registry} is not trusted by the engine",
        means="The engine does not trust the certificate of the base image's registry.",
        hint="Put the registry's authority in /etc/docker/certs.d/{registry}/ca.crt on the engine's machine.",
    ),
    sign(
        "build.registry_insecure",
        rf"{_REGISTRY}.*server gave HTTP response to HTTPS client",
        "{registry} speaks plain HTTP",
        means="The base image's registry offers no TLS, and the engine refuses that.",
        hint="Add {registry} to `insecure-registries` of the engine, if you trust the network.",
    ),
    sign(
        "build.registry_not_found",
        rf"{_REGISTRY}.*(?:no such host|server misbehaving)",
        "the base image is not on this engine, and the name of the registry {registry} cannot be resolved",
        means="The base image must be pulled, and the host name of its registry does not resolve.",
        hint="Correct the registry's name in {where}, or use a base image that the engine has.",
        retryable=True,
    ),
    sign(
        "build.registry_unreachable",
        rf"{_REGISTRY}.*(?:connection refused|i/o timeout|no route to host|timeout|EOF|reset by peer|unreachable)",
        "the base image is not on this engine, and the registry {registry} does not answer",
        means="The base image must be pulled, and its registry cannot be reached.",
        hint="Check that {registry} is up and reachable from the engine, or use a base image that the engine has.",
        retryable=True,
    ),
    sign(
        "build.base_unauthorized",
        rf"{_IMAGE}: (?:pull access denied|failed to authorize|.*(?:authorization failed|401 |403 ))"
        r"|no basic auth credentials|insufficient_scope",
        "the registry refuses to give the base image {image}",
        means="The base image is private and the credentials are missing or wrong, or it does not exist.",
        hint="Log in with `docker login`; if {image} is public, check its name: hubs answer like this for a typo.",
    ),
    sign(
        "build.base_not_found",
        rf"(?:{_IMAGE}: (?:manifest unknown|not found)|manifest for {_IMAGE.replace('image', 'manifest')} not found)",
        "the base image {image}{manifest} does not exist",
        means="The registry answered that it has no such image or tag.",
        hint="Correct the name or the tag of {image}{manifest} in {where}.",
        when=_is_about_an_image,
    ),
    sign(
        "build.user_not_found",
        r"unable to find (?P<kind>user|group) (?P<user>[^:\s]+)",
        "the image has no {kind} {user}",
        means="USER or COPY --chown names a user that the image does not have.",
        hint="Create the {kind} before {where} (`RUN useradd --system {user}`), or use a number.",
    ),
)

FAULTS = (STAGE_NOT_FOUND, FRONTEND_TOO_OLD, *(one.code for one in SIGNS))

_PARSE = re.compile(r"parse error (?:on )?line (\d+): (?P<says>.+)")
_UNKNOWN_FLAG = re.compile(r"[Uu]nknown flag: (?P<flag>\S+)")
_LOOSE = re.compile(r"(?P<says>Syntax error - .+|[Ii]nvalid containerPort: .+|.*: requires? .+ arguments?.*)")
_SECRET = re.compile(r"secret (?P<id>[^\s:]+)(?:: | )not found")


def explain_frontend(failure: Failure) -> StageFailure | None:
    """Make the fault of a Dockerfile that the engine's frontend did not understand, or None."""
    found = _PARSE.search(failure.error) or _LOOSE.search(failure.error)
    if found is None or "failed to walk" in failure.error:
        return None
    flag = _UNKNOWN_FLAG.search(failure.error)
    instruction = failure.instruction or _mentioned(failure, found["says"])
    heredoc = instruction is not None and "<<" in instruction.rest and "unknown instruction" in found["says"]
    if heredoc or (flag and flag["flag"].lstrip("-").split("=")[0] in _NEWER_FLAGS):
        feature = f"--{flag['flag'].lstrip('-')}" if flag else "a here-document"
        where = failure.where
        repair = FRONTEND_TOO_OLD.hint.format(where=where, feature=feature)
        return FRONTEND_TOO_OLD(
            f"{where}: this engine's builder does not know {feature}",
            evidence=failure.evidence(),
            next_actions=[edit_and_retry(repair)],
            where=where,
            feature=feature,
        )
    repair = found["says"].strip()
    near = difflib.get_close_matches(flag["flag"].lstrip("-").split("=")[0], _FLAGS, 1, 0.5) if flag else []
    repair += f"; did you mean --{near[0]}?" if near else ""
    line = instruction.line if instruction else 0
    return failure.inputs.parsed.syntax(line, instruction.text if instruction else "", repair)


def _mentioned(failure: Failure, says: str) -> Instruction | None:
    """Find the instruction that holds the word which the frontend quotes without a line."""
    word = (
        says.rsplit(": ", 1)[-1].strip()
        if says.lower().startswith("invalid")
        else (re.findall(r"\"([^\"]+)\"", says) or [""])[0]
    )
    return next((one for one in failure.inputs.parsed.instructions if word and word in one.rest.split()), None)


def explain_stage(failure: Failure) -> StageFailure | None:
    """Make the fault of a `--from` that is a misspelt stage: the builder then looks for an image of that name."""
    parsed = failure.inputs.parsed
    names = [stage.name for stage in parsed.stages if stage.name]
    for instruction in parsed.instructions:
        wanted = re.search(r"--from=([\w.-]+)(?=\s)", instruction.rest)
        if wanted is None or wanted[1] in names or wanted[1].isdigit() or wanted[1] not in failure.error:
            continue
        near = difflib.get_close_matches(wanted[1], names, 1, 0.6)
        if near:
            where = f"{parsed.path}:{instruction.line}"
            repair = STAGE_NOT_FOUND.hint.format(near=near[0], stage=wanted[1], where=where)
            return STAGE_NOT_FOUND(
                f"{where}: there is no stage {wanted[1]}, but {near[0]}",
                evidence=failure.at(instruction).evidence(),
                next_actions=[edit_and_retry(repair)],
                near=near[0],
                stage=wanted[1],
                where=where,
            )
    return None


def explain_secret(failure: Failure) -> StageFailure | None:
    """Make the fault of a secret that the Dockerfile requires and nobody gave, or None."""
    found = _SECRET.search(failure.error)
    if found is None:
        return None
    variable = re.sub(r"\W", "_", found["id"]).upper()
    why = f"Give the secret; {variable} is a variable of the server's process that holds it."
    action = NextAction(why=why, arguments={"secrets": {found["id"]: f"env:{variable}"}})
    message = f"{failure.where}: the secret {found['id']} was not given"
    return SECRET_NOT_FOUND(message, evidence=failure.evidence(), next_actions=[action], id=found["id"])
