"""Trust in a private CA during a build, such as the CA of a corporate proxy or of an internal package index.

In a copy of the Dockerfile, each RUN mounts the CA certificates as secret files, in the forms that programs read, and
sets the variables that pip, npm, apt, curl, git, Go, Java and others read. Secrets are never in layers, so the image
keeps no trace. Line numbers stay the same.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.dockerfile import Instruction, ParsedDockerfile

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SECRET_ID = "container-kit-ca-certificates"  # noqa: S105 (a name)
_APT_ID = f"{SECRET_ID}-apt"
_JAVA_ID = f"{SECRET_ID}-java"
_PATH = f"/run/secrets/{SECRET_ID}"
_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
    "HEX_CACERTS_PATH",
    "AWS_CA_BUNDLE",
)
_APT = f'Acquire::https::CaInfo "{_PATH}";\n'
_PASSWORD = "changeit"  # noqa: S105 - Java's default for such files, which contain nothing secret
_JAVA = f"-Djavax.net.ssl.trustStore=/run/secrets/{_JAVA_ID} -Djavax.net.ssl.trustStorePassword={_PASSWORD}"
_END = "CONTAINER_KIT_TRUSTS=1; "
MOUNT = "".join(f"--mount=type=secret,id={name},mode=0444 " for name in (SECRET_ID, _APT_ID, _JAVA_ID))
"""The text that is inserted after each RUN."""
EXPORT = (
    "export "
    + " ".join(f"{name}={_PATH}" for name in _VARIABLES)
    + f" APT_CONFIG=/run/secrets/{_APT_ID}"
    + f' JAVA_TOOL_OPTIONS="${{JAVA_TOOL_OPTIONS:+$JAVA_TOOL_OPTIONS }}{_JAVA}" {_END}'
)
"""The text that is inserted before each shell command."""
_EXPORTED = re.compile(rf"export {_VARIABLES[0]}=.*?{re.escape(_END)}", re.DOTALL)

_GAP = re.compile(r"(?:\\[ \t]*\r?\n(?:[ \t]*(?:#[^\n]*)?\n)*|[ \t]+)*")
_FLAG = re.compile(r"--\S+")


def trust_secrets(pem: bytes) -> dict[str, bytes]:
    """Return the build secrets that RUN mounts, with this machine's usual CA certificates and the given ones.

    Raises:
        ValueError: The text contains no valid certificate.
    """
    from cryptography.x509 import load_pem_x509_certificates

    given = load_pem_x509_certificates(pem)
    bundle = ssl.get_default_verify_paths().cafile
    usual = Path(bundle).read_bytes() if bundle and Path(bundle).is_file() else b""
    return {
        SECRET_ID: usual.rstrip() + b"\n" + pem,
        _APT_ID: _APT.encode(),
        _JAVA_ID: _truststore([*_readable(usual), *given]),
    }


def _readable(bundle: bytes) -> Iterator[Certificate]:
    """Read the certificates of a bundle, without malformed ones."""
    from cryptography.x509 import load_pem_x509_certificate

    for block in re.finditer(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", bundle, re.DOTALL):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old certificates break newer rules
                yield load_pem_x509_certificate(block[0])
        except ValueError:
            continue


def _truststore(certificates: list[Certificate]) -> bytes:
    """Encode certificates as a Java truststore."""
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

    unique = {certificate.public_bytes(Encoding.DER): certificate for certificate in certificates}
    entries = [
        pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode())
        for number, certificate in enumerate(unique.values())
    ]
    return pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(_PASSWORD.encode()))


def original(instruction: str) -> str:
    """Return an instruction as its author wrote it, without the inserted text."""
    return _EXPORTED.sub("", instruction.replace(MOUNT, ""), count=1)


def inject(content: str, parsed: ParsedDockerfile) -> str:
    """Change each RUN of a Dockerfile so that it trusts the CA certificates in the secrets.

    Commands in JSON form get the files, but not the variables, because no shell sets them.
    """
    lines = content.splitlines(keepends=True)
    for instruction in parsed.instructions:
        if instruction.keyword == "RUN":
            block = "".join(lines[instruction.line - 1 : instruction.last_line])
            lines[instruction.line - 1 : instruction.last_line] = _same_lines("".join(_change(block)), instruction)
    return "".join(lines)


def _change(block: str) -> Iterator[str]:
    word = re.match(r"\s*run\b[ \t]*", block, re.IGNORECASE)
    if word is None:
        yield block
        return
    at = word.end()
    yield block[:at].rstrip() + " " + MOUNT
    start = at
    while True:
        gap = _GAP.match(block, at)
        command = gap.end() if gap else at
        flag = _FLAG.match(block, command)
        if flag is None:
            break
        at = flag.end()
    yield block[start:command]
    has_no_shell = block[command : command + 1] == "[" or block[command:].startswith("<<")
    yield block[command:] if has_no_shell else EXPORT + block[command:]


def _same_lines(block: str, instruction: Instruction) -> list[str]:
    """Split a changed block into as many lines as the instruction has."""
    lines = block.splitlines(keepends=True)
    missing = instruction.last_line - instruction.line + 1 - len(lines)
    return lines + ["\n"] * missing
