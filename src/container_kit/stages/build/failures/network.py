"""Network failures inside a RUN instruction. They are checked first: package managers wrap them in other errors."""

from __future__ import annotations

from container_kit.stages.build.failures.codes import DOWNLOAD_FAILED, INDEX_UNAUTHORIZED, INDEX_UNREACHABLE
from container_kit.stages.build.failures.pattern import Failure, FailurePattern, pattern, sign
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import NextAction

_HOST = r"(?P<host>[A-Za-z0-9.-]{1,253})"
_URL = r"(?P<url>https?://[^\s'\"`)>,]{1,300})"


def _trust(_failure: Failure, _match: re.Match[str]) -> list[NextAction]:
    why = "Name the PEM file of the CA that signed the certificate, for example a corporate proxy's."
    return [NextAction(why=why, arguments={"ca_file": "company-ca.pem"})]


_TLS = pattern(
    "build.tls_untrusted",
    r"CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_(?:GET_ISSUER_CERT|VERIFY_LEAF)"
    r"|unable to get local issuer|self[- ]signed certificate|x509: certificate|invalid peer certificate"
    r"|PKIX path building failed|[Cc]ertificate verification failed|confirming the ssl certificate"
    r"|SSL certificate problem|certificate verify failed|UntrustedRoot",
    "the certificate of a server is not trusted inside the build",
    means="A RUN instruction received a certificate that the image does not trust, from a proxy or a private CA.",
    hint="Give ca_file, the PEM file of the CA. The build trusts it, and it stays out of the image.",
    actions=_trust,
)

_UNREACHABLE = "the package index {url}{host} cannot be reached from inside the build"
_REACH = (
    "Check that the index is up and that the engine reaches it; set HTTP_PROXY and HTTPS_PROXY in build_args if a "
    "proxy is needed, or name a mirror in the package manager's configuration."
)
_CREDENTIAL = (
    "Pass the token of the index as a build secret (secrets: id: env:NAME), and mount it where {where} installs: "
    "`RUN --mount=type=secret,id=…`. Never put it into ARG, ENV or a copied file."
)


def _give_secret(failure: Failure, _match: re.Match[str]) -> list[NextAction]:
    """Offer the secrets that the Dockerfile mounts; else an edit."""
    mounts = re.findall(r"--mount=type=secret,(?:[\w=,]{0,100},)?id=([\w.-]{1,80})", failure.inputs.content)
    named = {secret: f"env:{re.sub(r'[^A-Za-z0-9]', '_', secret).upper()}" for secret in dict.fromkeys(mounts)}
    missing = {secret: value for secret, value in named.items() if secret not in failure.inputs.secrets}
    if missing:
        why = f"Give the secret {', '.join(missing)}; the value names a variable of the server that holds the token."
        return [NextAction(why=why, arguments={"secrets": dict(missing)})]
    return [NextAction(why=f"{_CREDENTIAL.format(where=failure.where)} Then retry the run.")]


def _unauthorized(expression: str) -> FailurePattern:
    message = "the package index {url}{host} denies access"
    return sign(INDEX_UNAUTHORIZED, expression, message, _CREDENTIAL, actions=_give_secret)


def _unreachable(expression: str) -> FailurePattern:
    return sign(INDEX_UNREACHABLE, expression, _UNREACHABLE, _REACH)


_INDEX_401 = (
    r"npm (?:error|ERR!) code E40[13]\b",
    rf"npm (?:error|ERR!) 40[13] .{{0,80}}{_URL}",
    rf"ERR_PNPM_FETCH_40[13]\s{{0,10}}(?:GET {_URL})?",
    rf"{_URL}: Request \"[^\"]{{0,300}}\" returned a 40[13]|YN0041|\bUnauthorized\b.{{0,80}}registry",
    r"error An unexpected error occurred: \"https?://[^\s\"]{1,300}: (?:.{0,40}40[13]|authentication required)",
    rf"error: GET {_URL} - 40[13]|error: (?:Unauthorized|Forbidden)",
    r"An index URL \((?P<url>[^)]{1,300})\) could not be queried due to a lack of valid authentication|returned a 403 Forbidden",
    r"could not be authenticated for (?P<host>\S{1,200})|Access token could not|authenticated registries require a credential-provider",
    r"Could not transfer artifact [^\n]{1,900}(?:status code: 40[13]|authentication failed|Not authorized|authorization failed|\b40[13]\b)",
    r"401 Error, Credentials not correct for (?P<host>\S{1,200})|^User for (?P<url>\S{1,200}): ",
    rf"40[13] Client Error: .{{1,60}} for url: {_URL}|HTTP error 40[13] while getting {_URL}",
    rf"(?:status code|HTTP|status) \(?40[13]\b.{{0,60}}?(?:{_URL})?|credentials may be missing|authentication (?:is )?required for",
    r"Bad username or password for (?P<host>\S{1,200})|Authentication is required for (?P<url>\S{1,200})",
    r"reading (?P<url>https?://\S{1,300}): 40[13]|unrecognized import path.{0,200}40[13]",
    rf"(?:URL )?{_URL}.{{0,80}}(?:required authentication|requires? authenti|HTTP/[\d.]+ 40[13])",
    r"[Nn]ot authorized|status: 40[13] (?:Unauthorized|Forbidden)|status code:? 40[13]|Received status code 40[13]",
    r"NU1301[^\n]{0,200}\b40[13]\b|Response status code does not indicate success: 40[13]",
    r"HTTP Error 40[13]|got 40[13]|response code 40[13]",
)
_INDEX_DOWN = (
    r"npm (?:error|ERR!) code E\w{1,30}\n[\s\S]{0,600}?request to (?P<url>https?://\S{1,300}) failed, reason",
    r"npm (?:error|ERR!) code (?:ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ERR_SOCKET_TIMEOUT|E50\d|EHOSTUNREACH|ENETUNREACH)",
    rf"ERR_PNPM_META_FETCH_FAIL\s{{0,10}}(?:GET {_URL})?|ERR_PNPM_FETCH_50\d|GET {_URL} error \(",
    r"There appears to be trouble with your network connection|error An unexpected error occurred: \"(?P<url>https?://[^\s\"]{1,300}): (?:connect|getaddrinfo|tunneling|ESOCKET|ETIMEDOUT)",
    r"^error Error: (?:connect|getaddrinfo|read|socket)|^npm (?:error|ERR!) (?:network|syscall) (?:request to|connect|getaddrinfo)",
    r"YN0001.{0,60}RequestError|RequestError: (?:connect|getaddrinfo)|YN0081",
    rf"(?:ConnectionRefused|FailedToOpenSocket|ConnectionClosed|DNSResolutionFailed)[^\n]{{0,60}}(?:downloading|GET)[^\n]{{0,80}}(?:{_URL})?|error: (?:ConnectionRefused|FailedToOpenSocket)",
    r"WARNING: Retrying \([^\n]{0,120}HTTPS?Connection\(host='(?P<host>[^']{1,200})'",
    r"WARNING: Retrying \([^\n]{0,300}(?:NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|ProtocolError)",
    rf"HTTP error 50\d while getting {_URL}|50\d (?:Server )?Error: .{{1,60}} for url: {_URL}",
    r"error sending request for url \((?P<url>[^)\s]{1,300})\)|Failed to fetch: `(?P<host>https?://[^`]{1,300})`",
    r"All attempts to connect to (?P<host>\S{1,200}) failed|Cannot connect to (?:the )?host",
    r"Unable to fetch (?:from )?.{0,60}index|httpx\.Connect(?:Error|Timeout)|ConnectError: ",
    r"dial tcp[^\n]{0,120}(?:connection refused|i/o timeout|no such host|network is unreachable)|proxyconnect tcp",
    r"Could not reach host (?P<host>\S{1,200})|Could not fetch specs from (?P<url>\S{1,300}) due to underlying error\n(?![^\n]{0,20}(?:bad response|Bad response) [^\n]{0,40}40)|Network error while fetching|Gem::RemoteFetcher::FetchError|Errno::ECONNREFUSED|Gem::Net::|Unable to download data from",
    r"failed to download from `?(?P<url>https?://[^\s`]{1,300})|spurious network error|download of \S{1,100} failed|failed to query replaced source|failed to fetch `https?:[^`]{1,300}`",
    rf"curl error \d+ while downloading {_URL}|The \"(?P<host>https?://[^\"]{{1,300}})\" file could not be downloaded",
    r"Could not transfer artifact [^\n]{1,900}(?:Connection refused|Connect(?:ion)? timed out|UnknownHost|Unknown host|[Nn]etwork is unreachable|No route to host|[Nn]ame or service not known|status code: 50\d|Temporary failure)",
    r"Could not (?:GET|HEAD) '(?P<url>https?://[^']{1,300})'(?!.{0,80}40[13])|Exception in thread \"main\" java\.(?:net\.(?:UnknownHost|Connect|SocketTimeout)|io\.IO)Exception.{0,80}(?:services\.gradle|distributions|Download)|Downloading https://services\.gradle\.org",
    r"(?:NU1301: )?Unable to load the service index for source (?P<url>https?://\S{1,300})|NU1301",
    r"(?:Failed to fetch record for|Request failed \().{0,120}|Hex.{0,40}(?:failed_connect|nxdomain|timeout)|\{:failed_connect",
    r"W: Failed to fetch (?P<url>https?://\S{1,300})|E: Failed to fetch (?P<host>https?://\S{1,300})|Some index files failed to download",
    r"WARNING: (?:fetching|opening|updating and opening) (?P<url>https?://\S{1,200}): (?:temporary error|could not connect|DNS|network error)",
    r"Import '(?P<url>https?://[^']{1,300})' failed|error sending request|Requires import access to \"(?P<url>[^\"]{1,200})\"",
    r"corepack.{0,200}(?:fetch failed|ECONNREFUSED|ENOTFOUND)|Error when performing the request to (?P<url>https?://\S{1,300})",
    r"(?:binaries\.prisma\.sh|storage\.googleapis\.com|playwright\.azureedge\.net|download\.cypress\.io|nodejs\.org/(?:download|dist)|github\.com)[^\n]{0,200}(?:ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|fetch failed)",
)


PATTERNS = (
    _TLS,
    *(_unauthorized(expression) for expression in _INDEX_401),
    *(_unreachable(expression) for expression in _INDEX_DOWN),
)
"""Failures of package indexes."""

GENERAL = (
    sign(
        DOWNLOAD_FAILED,
        r"curl: \(22\) The requested URL returned error: (?P<status>\d+)|ERROR (?P<other>[45]\d\d): (?P<text>[^\n]{1,80})"
        r"|HTTP/\S{1,8} (?P<http>[45]\d\d)|server returned error: (?P<busybox>[^\n]{1,80})",
        "a download failed with status {status}{other}{http}{busybox}",
        "Correct the URL in {where}: the server answers {status}{other}{http}{busybox}.",
    ),
    pattern(
        "build.dns_failure",
        rf"Could not resolve (?:host: |'){_HOST}|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<node>[A-Za-z0-9.-]{{1,253}})"
        r"|Temporary failure in name resolution|Name or service not known|bad address '(?P<busybox>[^']{1,253})'"
        r"|unable to resolve host address|nodename nor servname|No address associated with hostname",
        "the host name {host}{node}{busybox} cannot be resolved inside the build",
        means="A RUN instruction uses a host name that the build's network cannot resolve.",
        hint="Check the host name {host}{node}{busybox} and the engine's DNS. Give a proxy in build_args (HTTP_PROXY).",
        retryable=True,
    ),
    pattern(
        "build.connection_refused",
        r"ECONNREFUSED|ECONNRESET|[Cc]onnection refused|Failed to connect to|[Nn]o route to host"
        r"|Network is unreachable|Could not connect to server",
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
"""Failures of other connections; package managers are recognized before."""
