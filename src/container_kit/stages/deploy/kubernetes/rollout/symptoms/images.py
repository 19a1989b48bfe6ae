"""Symptoms of images that cannot be pulled."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.deploy.kubernetes.rollout.container import Container
from container_kit.stages.deploy.kubernetes.rollout.faults import (
    IMAGE_AUTH,
    IMAGE_DNS,
    IMAGE_NAME_INVALID,
    IMAGE_NEVER_PULL,
    IMAGE_NOT_FOUND,
    IMAGE_PULL_FAILED,
    IMAGE_REFUSED,
    PULL_SECRET_NOT_FOUND,
    WRONG_ARCHITECTURE,
)
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState
from container_kit.stages.deploy.kubernetes.rollout.symptoms.symptom import (
    IMMEDIATE,
    NEVER_DECISIVE,
    PERSISTENT,
    Symptom,
    event_evidence,
    repair,
)

_PULLING = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "SignatureValidationFailed"}
_NOT_STARTED = {"", "ContainerCreating", "PodInitializing", *_PULLING, "InvalidImageName", "ErrImageNeverPull"}

# The messages of containerd, CRI-O and the registries, the more specific first, each with its grace period.
_CAUSES: tuple[tuple[re.Pattern[str], FaultCode, float], ...] = (
    (re.compile(r"no match for platform|no matching manifest|no image found .* for architecture"), WRONG_ARCHITECTURE,
     IMMEDIATE),
    (re.compile(r"unauthorized|access denied|authorization failed|authentication required|no basic auth"
                r"|insufficient_scope|\b40[13] (unauthorized|forbidden)|denied:|forbidden"), IMAGE_AUTH, IMMEDIATE),
    (re.compile(r"pull qps exceeded"), IMAGE_PULL_FAILED, NEVER_DECISIVE),
    (re.compile(r"no such host|server misbehaving|name resolution|lookup \S+( on \S+)?: "), IMAGE_DNS, PERSISTENT),
    (re.compile(r"connection refused|i/o timeout|no route to host|network is unreachable|connection reset"
                r"|context deadline exceeded|connect: "), IMAGE_REFUSED, PERSISTENT),
    (re.compile(r"not found|manifest unknown|name unknown|does not exist|notfound"), IMAGE_NOT_FOUND, IMMEDIATE),
    (re.compile(r""), IMAGE_PULL_FAILED, PERSISTENT),
)  # fmt: skip


def detect_image_failures(rollout: RolloutState) -> Iterator[Symptom]:
    """Detect image failures of all containers that have not started yet."""
    for container in rollout.containers():
        if container.waiting in _NOT_STARTED and not container.ever_started:
            yield from _invalid_name(container)
            yield from _never_pull(container)
            yield from _pull(container)


def _invalid_name(container: Container) -> Iterator[Symptom]:
    event = container.latest("InspectFailed")
    if container.waiting == "InvalidImageName" or event is not None:
        text = container.waiting_message or (event.message if event else "")
        yield _symptom(IMAGE_NAME_INVALID, container, text, IMMEDIATE)


def _never_pull(container: Container) -> Iterator[Symptom]:
    event = container.latest("ErrImageNeverPull")
    if container.waiting == "ErrImageNeverPull" or event is not None:
        yield _symptom(
            IMAGE_NEVER_PULL, container, container.waiting_message or (event.message if event else ""), IMMEDIATE
        )


def _pull(container: Container) -> Iterator[Symptom]:
    secrets = _missing_pull_secrets(container)
    text, times = _pull_failure(container)
    if not text:
        if secrets is not None and not container.latest("Pulled"):
            yield _pull_secret_symptom(container, secrets, "", PERSISTENT)
        return
    code, grace = _cause(text, container.image)
    if secrets is not None and code in (IMAGE_AUTH, IMAGE_NOT_FOUND):
        yield _pull_secret_symptom(container, secrets, text, IMMEDIATE)
    yield _symptom(code, container, text, IMMEDIATE if times > 1 and grace < NEVER_DECISIVE else grace)


def _pull_failure(container: Container) -> tuple[str, int]:
    """Return the runtime's message and the number of attempts; empty if no pull failed, or a later one succeeded."""
    failed = [
        event for event in container.events if event.reason == "Failed" and "Failed to pull image" in event.message
    ]
    pulled = container.latest("Pulled")
    last = max(failed, key=lambda event: event.order) if failed else None
    if last is not None and (pulled is None or pulled.order < last.order):
        return last.message, sum(event.count for event in failed)
    if container.waiting in _PULLING:
        return container.waiting_message or container.waiting, 1
    return "", 0


def _cause(text: str, image: str) -> tuple[FaultCode, float]:
    """Classify a failed pull; the image's name is removed first, because it may contain any word."""
    words = re.sub(r'https?://[^\s"]+', "", text.replace(image, "").lower())
    return next((code, grace) for pattern, code, grace in _CAUSES if pattern.search(words))


def _missing_pull_secrets(container: Container) -> str | None:
    for event in container.pod_events:
        if event.reason == "FailedToRetrieveImagePullSecret":
            match = re.search(r"\(([^)]*)\)", event.message)
            names = [str(secret.get("name")) for secret in container.pod_spec.get("imagePullSecrets") or []]
            return match.group(1) if match else ", ".join(names)
    return None


def _pull_secret_symptom(container: Container, secrets: str, text: str, grace: float) -> Symptom:
    evidence = event_evidence(container.latest("Failed"), container.where)
    return Symptom(
        PULL_SECRET_NOT_FOUND,
        container.where,
        f"pull secret {secrets} does not exist, and {container.image} cannot be pulled without it",
        grace,
        evidence or (Evidence(kind="condition", text=text or f"no Secret {secrets}", where=container.where),),
        {"secret": secrets},
        repair(f"Create the Secret {secrets} in the namespace, or name one that exists.", pull_secret=None),
    )


def _symptom(code: FaultCode, container: Container, text: str, grace: float) -> Symptom:
    return Symptom(
        code,
        container.where,
        f"{container.image}: {code.means[0].lower()}{code.means[1:]}",
        grace,
        (Evidence(kind="condition", text=text[:2000], where=container.where),),
        {"image": container.image},
    )
