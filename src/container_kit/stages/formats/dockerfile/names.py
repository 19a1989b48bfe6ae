"""The names of Dockerfiles."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re

_NAME = re.compile(r"(?:docker|container)file(?:[._-][^/\s]+)?|[^/\s]+\.(?:docker|container)file")
_SOURCE_CODE = """
c cc cjs clj cpp cs css cts dart erb erl ex exs fs go groovy h hpp hs htm html ipynb java jl js jsx kt kts less lua mjs
ml mts php pl pm ps1 py pyi r rb rs sass scala scss sh sql svelte swift ts tsx vb vue zsh
"""
_DOCUMENTS_AND_DATA = """
adoc cfg conf csv doc docx gif ini jpg json json5 jsonc lock log markdown md mdx pdf png rst svg tex toml txt xml yaml
yml
"""
_TEMPLATES_AND_COPIES = """
bak diff dockerignore hbs in j2 jinja jinja2 m4 mustache old orig patch rej swo swp template tmp tmpl tpl
"""
_OTHER_EXTENSIONS = frozenset((_SOURCE_CODE + _DOCUMENTS_AND_DATA + _TEMPLATES_AND_COPIES).split())


def is_dockerfile_name(name: str) -> bool:
    """Return whether a file is a Dockerfile by its name, given without its folder.

    `Dockerfile`, `Dockerfile.NAME`, `NAME.Dockerfile` and the same with `Containerfile` are, in any case; `-` and `_`
    separate a name too. Files with an extension of source code, documents, templates or copies are not, such as
    `dockerfile.py` and `Dockerfile.md`. A file that a caller or a compose file names is one whatever its name is.
    """
    lower = name.lower()
    return _NAME.fullmatch(lower) is not None and lower.rpartition(".")[2] not in _OTHER_EXTENSIONS
