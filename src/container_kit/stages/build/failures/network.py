"""Network failures inside a RUN instruction. They are checked first: package managers wrap them in other errors."""

from __future__ import annotations

from container_kit.stages.build.failures.pattern import Failure, pattern
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import NextAction

_HOST = r"(?P<host>[A-Za-z0-9.-]+)"


def _trust(_failure: Failure, _match: re.Match[str]) -> list[NextAction]:
    why = "Name the PEM file of the CA that signed the certificate, for example a corporate proxy's."
    return [NextAction(why=why, arguments={"ca_file": "company-ca.pem"})]


PATTERNS = (
    pattern(
        "build.tls_untrusted",
        r"CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_(?:GET_ISSUER_CERT|VERIFY_LEAF)"
        r"|unable to get local issuer|self[- ]signed certificate|x509: certificate"
        r"|PKIX path building failed|[Cc]ertificate verification failed|confirming the ssl certificate",
        "the certificate of a server is not trusted inside the build",
        means="A RUN instruction received a certificate that the image does not trust, from a proxy or a private CA.",
        hint="Give ca_file, the PEM file of the CA. The build trusts it, and it stays out of the image.",
        actions=_trust,
    ),
    pattern(
        "build.dns_failure",
        rf"Could not resolve (?:host: |'){_HOST}|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<node>[A-Za-z0-9.-]+)"
        r"|Temporary failure in name resolution|Name or service not known|bad address '(?P<busybox>[^']+)'"
        r"|unable to resolve host address",
        "the host name {host}{node}{busybox} cannot be resolved inside the build",
        means="A RUN instruction uses a host name that the build's network cannot resolve.",
        hint="Check the host name {host}{node}{busybox} and the engine's DNS. Give a proxy in build_args (HTTP_PROXY).",
        retryable=True,
    ),
    pattern(
        "build.connection_refused",
        r"ECONNREFUSED|ECONNRESET|[Cc]onnection refused|Failed to connect to|[Nn]o route to host"
        r"|Network is unreachable",
        "a server could not be reached from inside the build",
        means="A RUN instruction could not connect to a server.",
        hint="Check the address in {where} (inside a build, localhost is the build itself), and start the server.",
        retryable=True,
    ),
    pattern(
        "build.connection_timeout",
        r"ETIMEDOUT|[Cc]onnect(?:ion)? timed out|ConnectTimeoutError|ReadTimeoutError|Operation timed out",
        "a server did not answer in time inside the build",
        means="A RUN instruction waited for a server until its time limit.",
        hint="Try again. If it fails again, the build's network cannot reach the server: set HTTP_PROXY in build_args.",
        retryable=True,
    ),
)
