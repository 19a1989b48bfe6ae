"""The live run view: one HTML page without dependencies, assembled from the files of this folder.

Its content security policy allows only its own script and style. In an MCP client the page talks only to the client.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

_FOLDER = Path(__file__).parent
_SCRIPTS = ("source.js", "graph.js", "details.js", "page.js")

ConnectSource = Literal["'none'", "'self'"]


@cache
def page(connect: ConnectSource = "'none'") -> str:
    """Return the page. The first call reads files and blocks.

    Args:
        connect: The CSP source to which the script may send requests: none, or the server of the page.
    """
    style = _read("page.css")
    script = "(() => {\n" + "".join(map(_read, _SCRIPTS)) + "})();\n"
    html = _read("page.html").replace("{{policy}}", content_security_policy(script, style, connect))
    return html.replace("{{style}}", style).replace("{{script}}", script)


def content_security_policy(script: str, style: str, connect: ConnectSource) -> str:
    """Return the content security policy that allows exactly this script and this style."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src {connect}; "
        "base-uri 'none'; form-action 'none'"
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
