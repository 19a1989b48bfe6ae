"""Validation of the values in a manifest. Each check names the option that it rejects.

The rules are those of Kubernetes for names (RFC 1123 labels and subdomains), labels, quantities, environment variables
and mount paths, and those of the distribution specification for image references.
"""

from __future__ import annotations

import posixpath
from fractions import Fraction

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.redaction import Redactor, looks_secret
from container_kit.stages.deploy.faults import OPTION_INVALID
from container_kit.stages.docker.image_reference import ImageReference

SECRET_LITERAL = FaultCode(
    "kubernetes.secret_literal",
    means="A secret was given as a literal value, which every reader of the manifest would see.",
    hint='Put it into a Secret and reference it: secret_env={{"{variable}": "SECRET/KEY"}} instead of {field}.',
)

FAULTS = (OPTION_INVALID, SECRET_LITERAL)

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_QUANTITY = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_HTTP_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_FACTORS: dict[str, int | Fraction] = {
    "": 1, "m": Fraction(1, 1000), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_RESERVED_NAMESPACES = {"kube-system", "kube-public", "kube-node-lease"}
_PROTECTED_PATHS = ("/proc", "/sys", "/dev", "/etc", "/bin", "/usr", "/lib", "/lib64", "/sbin")
MAX_NAME = 50
"""The maximum of an application name: pods add a hash of 17 characters, and a label value has at most 63."""


def _require(condition: object, field: str, value: str, rule: str) -> None:
    if not condition:
        evidence = [Evidence(kind="value", text=f"{field} = {value[:100]!r}")]
        raise OPTION_INVALID(f"{field} is invalid: {value[:60]!r}", evidence=evidence, option=field, rule=rule)


def application_name(field: str, value: str) -> str:
    """Check a DNS label that starts with a letter (RFC 1035, required for Services)."""
    rule = f"1 to {MAX_NAME} of a-z, 0-9 and -, starting with a letter and ending with a letter or digit"
    _require(len(value) <= MAX_NAME and _NAME.fullmatch(value), field, value, rule)
    return value


def slug(text: str) -> str:
    """Return a valid application name for any text."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return re.sub(r"^[^a-z]+", "", plain)[:MAX_NAME].strip("-") or "app"


def namespace(field: str, value: str) -> str:
    """Check a namespace: a DNS label, and not one of the system namespaces."""
    _require(len(value) <= 63 and _LABEL.fullmatch(value), field, value, "a DNS label of at most 63 characters")
    _require(value not in _RESERVED_NAMESPACES, field, value, "a namespace other than the system namespaces")
    return value


def object_name(field: str, value: str) -> str:
    """Check the name of an object: a DNS subdomain (RFC 1123)."""
    parts = value.split(".")
    rule = "a DNS name of at most 253 characters, lower case"
    _require(len(value) <= 253 and all(len(p) <= 63 and _LABEL.fullmatch(p) for p in parts), field, value, rule)
    return value


def host_name(field: str, value: str) -> str:
    """Check a host name of an Ingress, optionally with the prefix `*.`."""
    object_name(field, value.removeprefix("*."))
    _require(not re.fullmatch(r"[\d.]+", value), field, value, "a host name, not an address")
    return value


def label(field: str, key: str, value: str) -> tuple[str, str]:
    """Check a label's key, optionally with a prefix, and its value."""
    prefix, slash, name = key.rpartition("/")
    if slash:
        object_name(field, prefix)
    _require(1 <= len(name) <= 63 and _LABEL_VALUE.fullmatch(name), field, key, "a label key such as team or x.io/team")
    reserved = prefix.endswith(("kubernetes.io", "k8s.io", "container-kit.io"))
    _require(not reserved, field, key, "a key outside kubernetes.io and k8s.io, which are reserved")
    rule = "at most 63 letters, digits, -, _ and ."
    _require(len(value) <= 63 and _LABEL_VALUE.fullmatch(value), f"{field}[{key}]", value, rule)
    return key, value


def label_value(text: str) -> str:
    """Return a valid label value for any text."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:63].strip("-_.")


def image(field: str, value: str) -> str:
    """Check an image reference: `[registry/]repository[:tag][@sha256:digest]`."""
    _require(
        len(value) <= 512 and ImageReference.try_parse(value), field, value, "[registry/]repository[:tag][@digest]"
    )
    return value


def registry(field: str, value: str) -> str:
    """Check a registry, optionally with a path, to which a repository name is appended."""
    value = value.rstrip("/")
    reference = ImageReference.try_parse(f"{value}/x")
    _require(reference is not None and len(value) <= 512, field, value, "host[:port][/path], no tag")
    return value


def quantity(field: str, value: str) -> Fraction:
    """Check a positive quantity such as 250m, 1 or 128Mi, and return its value."""
    match = _QUANTITY.fullmatch(value)
    rule = "a quantity such as 250m, 1.5, 128Mi or 1Gi, above zero"
    _require(match, field, value, rule)
    number, unit = match.groups() if match else ("0", None)
    amount = Fraction(number) * _FACTORS[unit or ""]
    _require(amount > 0, field, value, rule)
    return amount


def request_and_limit(field: str, request: str, limit: str, *, minimum: Fraction) -> None:
    """Check that a request does not exceed its limit, and that the limit lets a container start."""
    amount, most = quantity(field, request), quantity(f"{field}_limit", limit)
    _require(most >= minimum, f"{field}_limit", limit, f"at least {minimum}")
    _require(amount <= most, field, request, f"at most {field}_limit, which is {limit}")
    _require(most <= 2**50, f"{field}_limit", limit, "at most what a machine can have")


def http_path(field: str, value: str) -> str:
    """Check the path of an HTTP probe."""
    _require(len(value) <= 1024 and _HTTP_PATH.fullmatch(value), field, value, "a URL path that starts with /")
    return value


def mount_path(field: str, value: str) -> str:
    """Check an absolute folder that a volume may cover."""
    plain = posixpath.normpath(value) if value.startswith("/") else ""
    printable = all(32 < ord(character) < 127 for character in value)
    _require(plain and printable and ":" not in value and ".." not in value.split("/"), field, value,
             "an absolute path without spaces, : or ..")  # fmt: skip
    covered = any(plain == root or plain.startswith(f"{root}/") for root in _PROTECTED_PATHS)
    _require(plain.strip("/") and not covered, field, value, "a folder of the application, such as /app/cache")
    return "/" + plain.strip("/")


def variable(field: str, name: str) -> str:
    """Check the name of an environment variable."""
    rule = "a variable name: letters, digits, _, . and -, not starting with a digit"
    _require(len(name) <= 253 and _VARIABLE.fullmatch(name), field, name, rule)
    return name


def literal(field: str, name: str, value: str) -> str:
    """Check a variable's literal value and reject secrets. `$` is doubled, because Kubernetes expands `$(NAME)`."""
    text(f"{field}[{name}]", value)
    if value and (looks_secret(name) or Redactor()(value) != value):
        raise SECRET_LITERAL(
            f"{field}[{name}] looks like a secret and would be written into the manifest in plain text",
            variable=name,
            field=field,
        )
    return escape_expansion(value)


def escape_expansion(value: str) -> str:
    """Return the text that Kubernetes expands to `value`."""
    return value.replace("$", "$$")


def text(field: str, value: str) -> str:
    """Check a text that YAML, JSON and a process can represent."""
    valid = len(value) <= 32_768 and not any(
        (ord(c) < 32 and c not in "\n\t\r")
        or 0x7F <= ord(c) < 0xA0
        or 0xD800 <= ord(c) <= 0xDFFF
        or ord(c) in _FORBIDDEN
        for c in value
    )
    _require(valid, field, repr(value), "at most 32 KiB of text without control characters")
    return value


_FORBIDDEN = {0xFFFE, 0xFFFF, 0xFEFF, 0x2028, 0x2029}
"""Noncharacters, and line ends that YAML parsers interpret differently."""


def reference(field: str, value: str) -> tuple[str, str]:
    """Check a reference `OBJECT/KEY` to a Secret or ConfigMap."""
    name, slash, key = value.partition("/")
    _require(slash and len(key) <= 253 and _KEY.fullmatch(key) and key not in (".", ".."), field, value, "OBJECT/KEY")
    return object_name(field, name), key
