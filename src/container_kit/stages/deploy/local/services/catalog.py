"""The services that can be brought up beside an application: their images, how they start, are asked and reached."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from container_kit.stages.artifacts.deployment import ServiceKind

_USER = "app"

_POSTGRES = """FROM debian:bookworm-slim
LABEL io.container-kit.image=postgres
RUN apt-get update && apt-get install -y --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* \\
 && mkdir -p /var/lib/postgresql/data && chown postgres: /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
"""
# The same for our image and for the official one, whose entrypoint wants to be root first.
_START_POSTGRES = """
umask 077
if [ ! -d "$PGDATA/cluster" ]; then
  rm -rf "$PGDATA/new"
  printf %s "$POSTGRES_PASSWORD" > /tmp/password
  initdb -U "$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 -E UTF8 -D "$PGDATA/new" > /dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/new/pg_hba.conf"
  printf 'CREATE DATABASE "%s";\\n' "$POSTGRES_USER" | postgres --single -D "$PGDATA/new" postgres > /dev/null
  mv "$PGDATA/new" "$PGDATA/cluster"
fi
exec postgres -D "$PGDATA/cluster" -c listen_addresses='*' -c unix_socket_directories=/tmp
"""
_REDIS = """FROM debian:bookworm-slim
LABEL io.container-kit.image=redis
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \\
 && mkdir -p /data && chown redis: /data
"""
# On standard input, for a process's arguments can be read by others.
_START_REDIS = """
printf 'requirepass %s\\nappendonly yes\\ndir /data\\nprotected-mode no\\n' "$REDISCLI_AUTH" > /tmp/redis.conf
exec redis-server /tmp/redis.conf
"""


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One kind of service."""

    name: ServiceKind
    images: tuple[str, ...]
    """What is used where it is there, the first one first; the last one can be made."""
    dockerfile: str
    """How the last image is made."""
    user: str
    data: str
    """The folder that its volume is mounted at."""
    port: int
    start: str
    """A shell script; it reads nothing but the environment."""
    ask: tuple[str, ...]
    """A command in its container that succeeds once it is ready."""
    password: str
    """The variable that holds its password."""
    scheme: str
    variable: str
    """The application's variable for its address, where the analysis names none."""
    keeps_password: bool
    """Whether its data know the password that they were made with."""

    @property
    def environment(self) -> dict[str, str]:
        """What it is told beside its password."""
        return {"POSTGRES_USER": _USER, "PGDATA": self.data} if self.name == "postgres" else {}

    def url(self, password: str) -> str:
        """Its address for the application."""
        if self.name == "postgres":
            return f"{self.scheme}://{_USER}:{quote(password)}@{self.name}:{self.port}/{_USER}"
        return f"{self.scheme}://default:{quote(password)}@{self.name}:{self.port}/0"


KINDS: dict[ServiceKind, ServiceSpec] = {
    "postgres": ServiceSpec(
        name="postgres",
        images=("postgres:17", "postgres:16", "container-kit/postgres:1"),
        dockerfile=_POSTGRES,
        user="postgres",
        data="/var/lib/postgresql/data",
        port=5432,
        start=_START_POSTGRES,
        ask=("pg_isready", "-h", "127.0.0.1", "-U", _USER),
        password="POSTGRES_PASSWORD",  # noqa: S106 - a name
        scheme="postgresql",
        variable="DATABASE_URL",
        keeps_password=True,
    ),
    "redis": ServiceSpec(
        name="redis",
        images=("redis:7", "redis:latest", "container-kit/redis:1"),
        dockerfile=_REDIS,
        user="redis",
        data="/data",
        port=6379,
        start=_START_REDIS,
        ask=("sh", "-c", "redis-cli ping | grep -q PONG"),
        password="REDISCLI_AUTH",  # noqa: S106 - a name
        scheme="redis",
        variable="REDIS_URL",
        keeps_password=False,
    ),
}
