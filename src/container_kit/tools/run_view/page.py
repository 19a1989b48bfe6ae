"""The live run view: one HTML page without dependencies, put together from this folder's files when it is asked for.

Nothing but its own script and style may run in it, and in an assistant's client it may talk to the client alone.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent
_SCRIPTS = ("source.js", "graph.js", "details.js", "page.js")

Connect = Literal["'none'", "'self'"]


@cache
def page(connect: Connect = "'none'") -> str:
    """The page; reads files, so it blocks the first time.

    Args:
        connect: Where its script may send requests: nowhere, or to the server that it came from.
    """
    style = _text("page.css")
    script = "(() => {\n" + "".join(map(_text, _SCRIPTS)) + "})();\n"
    filled = _text("page.html").replace("{{policy}}", policy(script, style, connect))
    return filled.replace("{{style}}", style).replace("{{script}}", script)


def policy(script: str, style: str, connect: Connect) -> str:
    """The content security policy that lets exactly this script and this style in."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src {connect}; "
        "base-uri 'none'; form-action 'none'"
    )


def _text(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
