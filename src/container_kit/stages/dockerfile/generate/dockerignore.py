"""Generate `.dockerignore`, and match paths against an existing one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from container_kit.stages.dockerfile.generate.render import signed
from container_kit.stages.formats.dockerignore import DockerIgnore

_SHARED = {
    "version control": (".git", ".gitignore", ".gitattributes", ".github", ".gitlab-ci.yml", ".hg", ".svn"),
    "this file and its like": ("**/Dockerfile*", "**/.dockerignore", "**/docker-compose*.y*ml", "**/compose*.y*ml"),
    "secrets": ("**/.env", "**/.env.*", "!**/.env.example", "**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx",
        "**/id_rsa*", "**/id_ed25519*", "**/.netrc", "**/.aws", "**/.ssh", "**/credentials.json"),
    "editors and systems": ("**/.DS_Store", "**/.idea", "**/.vscode", "**/.devcontainer", "**/*.swp", "**/Thumbs.db"),
    "what logs and local runs leave": ("**/*.log", "**/coverage", "**/tmp", "**/.cache"),
}  # fmt: skip


def ignore_text(own: Iterable[str], needed: Sequence[str]) -> str:
    """Render `.dockerignore`.

    Args:
        own: Patterns of the ecosystem, for example `**/node_modules`.
        needed: Paths that the Dockerfile copies by name; patterns that would exclude one are omitted.
    """
    sections = {"made again inside the image": tuple(own), **_SHARED}
    blocks = []
    for title, patterns in sections.items():
        kept = [pattern for pattern in patterns if not any(DockerIgnore.parse(pattern).find(path) for path in needed)]
        if kept:
            blocks.append("\n".join((f"# {title}", *kept)))
    return signed("\n\n".join(blocks) + "\n")
