"""Recognition of credentials in text: the names of secret variables and the formats of well-known credentials.

Every expression is linear in the length of the text: no two adjacent repetitions match the same character.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from container_kit.stages.contract import expressions as re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORD = re.compile(
    r"auth|cookie|creds?|credentials?|dsn|jwt|passcode|passwords?|pat|pin|psk|pw|pwd|salt|secrets|sig|tokens"
    r"|[a-z]*(?:password|passwd|passphrase|pwd|secret|token|apikey|credentials)|(?!by|com|sur)[a-z]*pass"
)
_KEY_KIND = re.compile(
    r"access|account|api|app|application|auth|client|consumer|deploy|encryption|hmac|host|jwt|license|master|private"
    r"|secret|server|service|session|shared|sign|signing|ssh|storage|webhook"
)
"""Words before `key` that make it a secret; `PUBLIC_KEY`, `PRIMARY_KEY` and `CACHE_KEY` are not secret."""
_DESCRIPTION = re.compile(
    r"alg|algorithm|audience|class|count|domain|enabled|endpoint|expiration|expires|expiry|field|file|header|host|id"
    r"|issuer|length|limits?|lifetime|max|method|min|mode|names?|path|policy|port|prefix|provider|required|size|through"
    r"|timeout|ttl|type|uri|url|user|username"
)
"""Last words of names that describe a secret instead of holding it: `TOKEN_TTL`, `PASSWORD_FILE`, `AUTH_URL`."""


def looks_secret(name: str) -> bool:
    """Return whether a variable with this name usually holds a secret."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or "public" in words or _DESCRIPTION.fullmatch(words[-1]) or words[0] in {"max", "min", "num"}:
        return False
    return any(map(_SECRET_WORD.fullmatch, words)) or any(
        (second in {"key", "keys"} and _KEY_KIND.fullmatch(first))
        or (second in {"string", "str"} and first in {"connection", "conn"})
        for first, second in itertools.pairwise(words)
    )


# Formats that are unlikely to match anything else.
_FORMATS = re.compile(
    r"""
    \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                                  # AWS access key id
    | \bgh[pousr]_[A-Za-z0-9]{36,} | \bgithub_pat_[A-Za-z0-9_]{40,}
    | \bgl(?:pat|dt|rt|cbt|ptt|soat|agent)-[A-Za-z0-9_-]{20,}
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,} | \bxapp-[A-Za-z0-9-]{10,}
    | \bhttps://hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9_/-]{16,}
    | \bhttps://discord(?:app)?\.com/api/webhooks/[0-9]{10,}/[A-Za-z0-9_-]{20,}
    | \bsk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{20,}
    | \b[rs]k_(?:live|test)_[A-Za-z0-9]{10,} | \bwhsec_[A-Za-z0-9+/=]{16,}
    | \bnpm_[A-Za-z0-9]{36} | \bpypi-[A-Za-z0-9_-]{50,} | \brubygems_[a-f0-9]{48}
    | \bAIza[0-9A-Za-z_-]{35} | \bya29\.[A-Za-z0-9_-]{16,} | \bGOCSPX-[A-Za-z0-9_-]{20,}
    | \bhf_[A-Za-z0-9]{20,} | \bdo[opr]_v1_[a-f0-9]{32,} | \bdapi[a-f0-9]{32}\b | \bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}
    | \bAGE-SECRET-KEY-1[A-Z0-9]{20,} | \bhv[bsr]\.[A-Za-z0-9_-]{20,} | \bs\.[A-Za-z0-9]{24}\b
    | \b[0-9]{8,10}:[A-Za-z0-9_-]{35}\b                            # Telegram bot token
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,} | \bkey-[0-9a-f]{32}\b | \bATATT3[A-Za-z0-9_=-]{20,}
    | \bdp\.(?:pt|st|ct|sa)\.[A-Za-z0-9_.-]{20,} | \blin_api_[A-Za-z0-9]{20,} | \bglc_[A-Za-z0-9+/=]{20,}
    | \beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}
    """,
    re.VERBOSE,
)
_URL = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,30})://([^\s\"'<>`]{1,2000})")
_DATABASES = re.compile(
    r"(?i)^(?:postgres|postgresql|mysql|mariadb|mongodb|redis|rediss|amqp|amqps|mssql|clickhouse)\b"
)
_ASSIGNMENT = re.compile(
    r"""
    (?P<name>(?<![A-Za-z0-9_.-])[A-Za-z_][A-Za-z0-9_.-]{0,80})
    (?:
        (?P<close>\\?["'])[ \t]{0,4}[:=][ \t]{0,4}(?P<quoted1>\\?["'])(?P<value1>[^"'\\\n]{1,4000})   # "name": "value"
        | [ \t]{0,4}[:=][ \t]{0,4}(?P<quoted2>\\?["'])(?P<value2>[^"'\\\n]{1,4000})                   # name = "value"
        | =(?!=)(?P<value3>[^\s"'&;,)}\]]{1,4000})                                                         # name=value
        | [ \t]{1,4}=[ \t]{1,4}(?P<value4>[A-Za-z0-9/+_=-]{16,4000})                                  # name = value
    )
    """,
    re.VERBOSE,
)
_LINE = re.compile(
    r"(?m)^[ \t-]{0,40}(?P<name>[A-Za-z_][A-Za-z0-9_.-]{0,80}):[ \t]{1,20}(?P<value>[^\s\"'][^\s]{3,4000})[ \t]*$"
)
_HEADER = re.compile(
    r"(?i)\b(?:(?:proxy-)?authorization|x-api-key|x-auth-token|private-token)\b[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?"
    r"(?:(?:basic|bearer|token|digest|apikey|bot)[ \t]{1,4})?(?P<value>[^\s\"',]{4,4000})"
)
_SCHEME = re.compile(r"(?i)\b(?:bearer|basic)[ \t]{1,4}(?P<value>[A-Za-z0-9._~+/-]{12,4000}={0,2})")
_CURL_USER = re.compile(
    r"(?<![\w-])(?:-u|--user|--proxy-user)[ \t=]{1,4}[\"']?(?P<value>[^\s\"':]{1,200}:[^\s\"']{1,400})"
)
_REFERENCE = re.compile(
    r"^(?:\$|%[A-Za-z_]|<|\{\{|\*+$|\[redacted\]|(?:true|false|null|none|undefined|yes|no|on|off)$)", re.IGNORECASE
)
"""Values that name or describe a secret: `$TOKEN`, `${{ secrets.X }}`, `<your token>`, `true`."""
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def mask_formats(text: str, mask: str) -> str:
    """Replace credentials that their format or their surroundings give away."""
    text = mask_private_keys(text, mask)
    text = _URL.sub(lambda match: _mask_url(match, mask), text)
    text = _FORMATS.sub(mask, text)
    for pattern in (_HEADER, _SCHEME, _CURL_USER):
        text = pattern.sub(lambda match: _mask_group(match, "value", mask), text)
    text = _ASSIGNMENT.sub(_assignment_masker(mask), text)
    return _LINE.sub(_assignment_masker(mask), text)


def mask_private_keys(text: str, mask: str) -> str:
    """Replace PEM private keys, also one without an end."""
    parts, at = [], 0
    while begin := _PEM.search(text, at):
        end = _PEM_END.search(text, begin.end())
        parts += [text[at : begin.start()], mask]
        at = end.end() if end else len(text)
    return "".join([*parts, text[at:]]) if parts else text


def begins_private_key(line: str) -> bool:
    """Return whether a PEM private key begins on this line and does not end on it."""
    begins = [match.end() for match in _PEM.finditer(line)]
    return bool(begins) and _PEM_END.search(line, begins[-1]) is None


def end_of_private_key(line: str) -> int | None:
    """Return the position after a PEM end marker, or None."""
    end = _PEM_END.search(line)
    return end.end() if end else None


def password_in(value: str) -> str | None:
    """Return the password of a URL with user information, or None."""
    match = _URL.search(value)
    at = _end_of_userinfo(match) if match else None
    if match is None or at is None:
        return None
    return match[2][:at].partition(":")[2] or None


def _mask_url(match: re.Match[str], mask: str) -> str:
    at = _end_of_userinfo(match)
    return match[0] if at is None else f"{match[1]}://{mask}{match[2][at:]}"


def _end_of_userinfo(match: re.Match[str]) -> int | None:
    """Return the position of the `@` that ends the user information of a URL, or None.

    The authority ends at the first `/`, `?` or `#` (RFC 3986, section 3.2). Passwords that break this rule are common
    in database URLs, so their `/` and `@` are accepted.
    """
    scheme, rest = match[1], match[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, colon, tail = authority.partition(":")
    broken = "@" not in authority and bool(colon) and (not tail.isdigit() or _DATABASES.match(scheme) is not None)
    at = rest.rfind("@") if broken or _DATABASES.match(scheme) else authority.rfind("@")
    if at < 0:
        return None
    if not colon and len(user.partition("@")[0]) < (8 if scheme.lower().startswith("http") else 16):
        return None  # a login name: ssh://git@host
    return at


def _mask_group(match: re.Match[str], group: str, mask: str) -> str:
    if _REFERENCE.match(match[group]):
        return match[0]
    number = match.re.groupindex[group]  # matches of RE2 know the spans of groups only by number
    start, end = match.start(number) - match.start(), match.end(number) - match.start()
    return match[0][:start] + mask + match[0][end:]


def _assignment_masker(mask: str) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        if not looks_secret(match["name"]):
            return match[0]
        group = next(name for name, value in match.groupdict().items() if name.startswith("value") and value)
        return _mask_group(match, group, mask)

    return replace
