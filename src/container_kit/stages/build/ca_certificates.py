"""Trusting a private authority during a build: a company's proxy that breaks TLS open, an internal package index.

Each RUN of a copy of the Dockerfile gets the authorities as secret files, in the forms that programs read, and the
variables by which pip, npm, apt, curl, git, Go, Java and others find them. Secrets are no part of layers, so nothing of
it stays in the image; lines keep their numbers.
"""

from __future__ import annotations

import re
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from container_kit.stages.build.dockerfile import Instruction, ParsedDockerfile

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SECRET_ID = "container-kit-authorities"  # noqa: S105 (a name)
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
_PASSWORD = "changeit"  # noqa: S105 - Java's own for such files, which hold nothing secret
_JAVA = f"-Djavax.net.ssl.trustStore=/run/secrets/{_JAVA_ID} -Djavax.net.ssl.trustStorePassword={_PASSWORD}"
_END = "CONTAINER_KIT_TRUSTS=1; "
MOUNT = "".join(f"--mount=type=secret,id={name},mode=0444 " for name in (SECRET_ID, _APT_ID, _JAVA_ID))
"""What is put behind each RUN."""
EXPORT = (
    "export "
    + " ".join(f"{name}={_PATH}" for name in _VARIABLES)
    + f" APT_CONFIG=/run/secrets/{_APT_ID}"
    + f' JAVA_TOOL_OPTIONS="${{JAVA_TOOL_OPTIONS:+$JAVA_TOOL_OPTIONS }}{_JAVA}" {_END}'
)
"""What is put before each shell command."""
_EXPORTED = re.compile(rf"export {_VARIABLES[0]}=.*?{re.escape(_END)}", re.DOTALL)

_GAP = re.compile(r"(?:\\[ \t]*\r?\n(?:[ \t]*(?:#[^\n]*)?\n)*|[ \t]+)*")
_FLAG = re.compile(r"--\S+")


def secrets(own: bytes) -> dict[str, bytes]:
    """The authorities to trust, the usual ones of this machine and the given ones, by the ids that RUN mounts.

    Raises:
        ValueError: The given ones are no certificates.
    """
    from cryptography.x509 import load_pem_x509_certificates

    given = load_pem_x509_certificates(own)
    usual = ssl.get_default_verify_paths().cafile
    known = Path(usual).read_bytes() if usual and Path(usual).is_file() else b""
    return {
        SECRET_ID: known.rstrip() + b"\n" + own,
        _APT_ID: _APT.encode(),
        _JAVA_ID: _truststore([*_readable(known), *given]),
    }


def _readable(bundle: bytes) -> Iterator[Certificate]:
    """The certificates of a bundle, without those that are malformed."""
    from cryptography.x509 import load_pem_x509_certificate

    for found in re.finditer(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", bundle, re.DOTALL):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old authorities break rules that are newer than they are
                yield load_pem_x509_certificate(found[0])
        except ValueError:
            continue


def _truststore(certificates: list[Certificate]) -> bytes:
    """The file in which Java keeps whom it trusts."""
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

    unique = {certificate.public_bytes(Encoding.DER): certificate for certificate in certificates}
    named = [
        pkcs12.PKCS12Certificate(certificate, f"authority-{number}".encode())
        for number, certificate in enumerate(unique.values())
    ]
    return pkcs12.serialize_java_truststore(named, BestAvailableEncryption(_PASSWORD.encode()))


def shown(instruction: str) -> str:
    """An instruction as its author wrote it."""
    return _EXPORTED.sub("", instruction.replace(MOUNT, ""), count=1)


def inject(content: str, parsed: ParsedDockerfile) -> str:
    """Change each RUN so that it trusts the authorities in the secret.

    Commands in JSON form get the file, but not the variables: there is no shell to set them.
    """
    lines = content.splitlines(keepends=True)
    for instruction in parsed.instructions:
        if instruction.word == "RUN":
            block = "".join(lines[instruction.line - 1 : instruction.last_line])
            lines[instruction.line - 1 : instruction.last_line] = _numbered("".join(_changed(block)), instruction)
    return "".join(lines)


def _changed(block: str) -> Iterator[str]:
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
    yield (
        block[command:]
        if block[command : command + 1] == "[" or block[command:].startswith("<<")
        else EXPORT + block[command:]
    )


def _numbered(block: str, instruction: Instruction) -> list[str]:
    lines = block.splitlines(keepends=True)
    missing = instruction.last_line - instruction.line + 1 - len(lines)
    return lines + ["\n"] * missing
