"""The ports of an image: from its Dockerfile, its server's configuration, or its base image."""

from __future__ import annotations

from collections.abc import Iterator

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import DockerfileFacts
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree, join

_ANY_TAG = r"(?::.*)?"
_BASES = tuple(
    (re.compile(pattern), port)
    for pattern, port in (
        (rf"(?:.*/)?nginx-unprivileged{_ANY_TAG}", 8080),
        (rf"(?:bitnami(?:legacy)?/(?:nginx|apache)|trafex/(?:alpine-nginx-php7|php-nginx)){_ANY_TAG}", 8080),
        (r"serversideup/php:.*(?:nginx|apache).*", 8080),
        (rf"(?:(?:library/)?(?:tomcat|tomee|jetty)|quay\.io/wildfly/wildfly|jboss/wildfly){_ANY_TAG}", 8080),
        (rf"(?:(?:library/)?(?:nginx|httpd|caddy)|openresty/openresty){_ANY_TAG}", 80),
        (r"(?:library/)?php:.*apache.*", 80),
        (r"(?:library/)?(?:wordpress|drupal|joomla)(?::(?!.*fpm).*)?", 80),
        (rf"(?:richarvey/nginx-php-fpm|webdevops/php-(?:nginx|apache)){_ANY_TAG}", 80),
        (rf"tiangolo/(?:uwsgi-nginx|uvicorn-gunicorn|meinheld-gunicorn)[\w-]*{_ANY_TAG}", 80),
    )
)
"""Images of servers, with the port that they expose."""
_SERVERS = re.compile(
    r"(?:.*/)?(?:nginx|apache2(?:ctl|-foreground)?|httpd(?:-foreground)?|caddy|catalina\.sh|supervisord|s6-\w+|start\.sh"
    r"|docker-\S*entrypoint(?:\.sh)?)(?:\s.*)?"
)
_LISTENS = re.compile(r"^\s*listen\s+(?:[\w.*\[\]:]+:)?(\d{2,5})\b[^;\n]*;", re.MULTILINE)
_NGINX = re.compile(r"nginx|openresty")


def image_ports(folder: Folder, facts: DockerfileFacts) -> Iterator[tuple[int, str, float]]:
    """Yield the ports with their places and confidence."""
    if facts.variable:
        yield (*facts.variable, 0.932)
    if facts.port:
        yield (*facts.port, 0.85)
    elif facts.base and (not facts.command or _SERVERS.fullmatch(facts.command[0])):
        image, place = facts.base
        listens = _configured(folder.tree, folder.path, facts) if _NGINX.search(image) else None
        if listens:
            yield (*listens, 0.9)
        elif not any("ports.conf" in run or "listen" in run.lower() for run in facts.runs):
            named = image.partition("@")[0].removeprefix("docker.io/")
            yield from ((port, place, 0.83) for pattern, port in _BASES if pattern.fullmatch(named))


def _configured(tree: ModuleTree, home: str, facts: DockerfileFacts) -> tuple[int, str] | None:
    """Return the port in the nginx configuration among the copied files."""
    for copy in facts.copies:
        path = join(home, copy.removeprefix("./").rstrip("/"))
        files = [path] if tree.exists(path) else []
        if path in tree.folders and "nginx" in path.lower():
            files = [join(path, name) for name in sorted(tree.folders[path].files)]
        for file in files:
            text = tree.source(file) if file.endswith((".conf", ".template")) else ""
            found = next((found for found in _LISTENS.finditer(text) if found[1] != "443"), None)
            if found:
                return int(found[1]), f"{file}:{text.count(chr(10), 0, found.start(1)) + 1}"
    return None
