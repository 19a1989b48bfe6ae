"""What can go wrong in a rollout: one code for each class of failure, with the repair that fits it."""

from __future__ import annotations

from container_kit.stages.contract.fault import FaultCode


def _code(cause: str, means: str, hint: str, *, retryable: bool = False) -> FaultCode:
    return FaultCode(f"kubernetes.{cause}", means=means, hint=hint, retryable=retryable)


POD_SECURITY = _code(
    "pod_security",
    "The namespace's Pod Security level refuses the pods.",
    "Remove what the evidence names from the pod's securityContext; generated manifests pass `restricted` as they are.",
)
QUOTA = _code(
    "quota",
    "The namespace's ResourceQuota leaves no room for the pods.",
    "Lower replicas, cpu or memory below what {quota} leaves, or have the quota raised.",
)
SERVICE_ACCOUNT_MISSING = _code(
    "service_account_missing",
    "The ServiceAccount that the pods run as does not exist.",
    "Create ServiceAccount {account}, or leave serviceAccountName out.",
)
POD_REFUSED = _code(
    "pod_refused",
    "The API refuses to create the pods for another reason: a LimitRange, an admission webhook or policy.",
    "Change the pod template as the API's own words in the evidence ask.",
)
UNSCHEDULABLE = _code("unschedulable", "No node can take the pod.", "{repair}")
IMAGE_NOT_FOUND = _code(
    "image_not_found",
    "The registry answers, but has no such image.",
    "Push {image} to its registry, or correct the name, tag or digest.",
)
IMAGE_AUTH = _code(
    "image_auth",
    "The registry refuses to hand out the image without (other) credentials.",
    "Create a pull secret with access to {image} and name it in pull_secret.",
)
PULL_SECRET_MISSING = _code(
    "pull_secret_missing",
    "The pod names a pull secret that does not exist, and the image cannot be had without.",
    "Create the pull secret {secret} in the pod's namespace (type kubernetes.io/dockerconfigjson).",
)
IMAGE_REFUSED = _code(
    "image_refused",
    "The node cannot connect to the registry.",
    "Make the registry of {image} reachable from the nodes: is it running, and is its address one that nodes can use?",
    retryable=True,
)
IMAGE_DNS = _code(
    "image_dns",
    "The node cannot resolve the registry's name.",
    "Correct the registry's host name in {image}, or the nodes' DNS.",
    retryable=True,
)
IMAGE_PULL_FAILED = _code(
    "image_pull_failed",
    "Pulling the image fails for another reason, such as TLS, a full disk or a rate limit.",
    "The container runtime's own words are in the evidence; {image} must be pullable from the node.",
    retryable=True,
)
IMAGE_NAME_INVALID = _code(
    "image_name_invalid",
    "The image's name is not a valid reference.",
    "Correct {image}: repository names are lower case, then `:tag` or `@sha256:digest`.",
)
IMAGE_NEVER_PULL = _code(
    "image_never_pull",
    "The image is not on the node and imagePullPolicy is Never.",
    "Load {image} into the cluster's nodes first, or allow pulling with imagePullPolicy IfNotPresent.",
)
CONFIG_MISSING = _code(
    "config_missing",
    "A Secret, ConfigMap or key that the container's environment refers to does not exist.",
    "Create {missing} in the pod's namespace, or correct the reference in env or envFrom.",
)
RUNS_AS_ROOT = _code(
    "runs_as_root",
    "The pod must not run as root, but its image does (or names its user by name, which cannot be checked).",
    "Set a numeric USER other than 0 in the Dockerfile, or runAsUser in the securityContext.",
)
CONTAINER_CONFIG = _code(
    "container_config",
    "The container cannot be set up from its specification.",
    "Correct what the kubelet names in the evidence.",
)
VOLUME_MISSING = _code(
    "volume_missing",
    "A volume cannot be mounted: what it refers to does not exist or cannot be attached.",
    "Create what volume {volume} refers to, or correct the reference; the evidence names it.",
)
SANDBOX_FAILED = _code(
    "sandbox_failed",
    "The node cannot make the pod's sandbox: its network plugin or container runtime fails.",
    "Repair the node or its network plugin, as the evidence says; the pod itself is not the cause.",
    retryable=True,
)
COMMAND_NOT_FOUND = _code(
    "command_not_found",
    "The container's command does not exist in the image or is not executable.",
    "Correct command/args (or CMD and ENTRYPOINT of the image): {command} cannot be started.",
)
BAD_ARCHITECTURE = _code(
    "bad_arch",
    "The image's program is for another processor architecture than the node's.",
    "Build {image} for the nodes' platform, for example linux/amd64.",
)
READ_ONLY_FILESYSTEM = _code(
    "read_only_fs",
    "The program writes to the root file system, which is read-only.",
    "Mount an emptyDir at the folder that it writes to (writable_paths), or write below /tmp.",
)
OUT_OF_MEMORY = _code(
    "oom",
    "The container was killed because it used more memory than its limit.",
    "Raise the memory limit above {limit}, or make the program use less.",
)
EXITED_ZERO = _code(
    "exited_zero",
    "The program ends by itself with success, but a Deployment needs one that keeps running.",
    "Start the server in the foreground, or run this as a Job.",
)
CRASH = _code(
    "crash",
    "The program ends with an error right after it started.",
    "Repair what the program's last words in the evidence say; it exited with code {exit_code}.",
)
INIT_FAILED = _code(
    "init_failed",
    "An init container fails, so the application is never started.",
    "Repair init container {container}: it exited with code {exit_code}.",
)
PROBE_READINESS = _code("probe_readiness", "The readiness probe keeps failing.", "{repair}")
PROBE_STARTUP = _code(
    "probe_startup",
    "The startup probe used up its budget and the container was restarted.",
    "{repair}",
)
PROBE_LIVENESS = _code(
    "probe_liveness",
    "The liveness probe failed and the container was restarted.",
    "{repair}",
)
EVICTED = _code(
    "evicted",
    "The node evicts the pods.",
    "Lower what the pod uses, or raise its limits; the evidence says which resource ran out.",
)
PROGRESS_DEADLINE = _code(
    "progress_deadline",
    "The Deployment made no progress within progressDeadlineSeconds, and nothing names a cause.",
    "Raise progressDeadlineSeconds above the time that a start takes ({deadline} s now), or make the start faster.",
)
NO_ENDPOINTS = _code(
    "no_endpoints",
    "The pods are ready, but the Service has no ready address.",
    "Make the selector of Service {service} match the pods' labels, and its targetPort a port that they have.",
)

ROLLOUT_FAULTS = (
    POD_SECURITY, QUOTA, SERVICE_ACCOUNT_MISSING, POD_REFUSED, UNSCHEDULABLE, PULL_SECRET_MISSING, IMAGE_AUTH,
    IMAGE_NOT_FOUND, IMAGE_REFUSED, IMAGE_DNS, IMAGE_PULL_FAILED, IMAGE_NAME_INVALID, IMAGE_NEVER_PULL,
    CONFIG_MISSING, RUNS_AS_ROOT, CONTAINER_CONFIG, VOLUME_MISSING, SANDBOX_FAILED, BAD_ARCHITECTURE, COMMAND_NOT_FOUND,
    READ_ONLY_FILESYSTEM, OUT_OF_MEMORY, EXITED_ZERO, INIT_FAILED, CRASH, PROBE_STARTUP, PROBE_LIVENESS,
    PROBE_READINESS, EVICTED, NO_ENDPOINTS, PROGRESS_DEADLINE,
)  # fmt: skip
"""All of them, the more specific first: where two are seen at the same moment, the earlier one is told."""
