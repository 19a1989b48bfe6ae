"""The backing services: their images, start scripts, readiness commands and addresses."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from container_kit.stages.artifacts.deployment import ServiceKind
from container_kit.stages.docker.labels import IMAGE

_USER = "app"

_POSTGRES = f"""FROM debian:bookworm-slim
LABEL {IMAGE}=postgres
RUN apt-get update && apt-get install -y --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* \\
 && mkdir -p /var/lib/postgresql/data && chown postgres: /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
"""
# For the built image and for the official one, whose entrypoint must start as root.
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
_REDIS = f"""FROM debian:bookworm-slim
LABEL {IMAGE}=redis
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \\
 && mkdir -p /data && chown redis: /data
"""
# In a file, because other processes can read the arguments of a process.
_START_REDIS = """
printf 'requirepass %s\\nappendonly yes\\ndir /data\\nprotected-mode no\\n' "$REDISCLI_AUTH" > /tmp/redis.conf
exec redis-server /tmp/redis.conf
"""


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A kind of backing service."""

    name: ServiceKind
    images: tuple[str, ...]
    """Images to use, in order of preference; the last one can be built."""
    dockerfile: str
    """Builds the last image."""
    user: str
    data_folder: str
    """Its volume is mounted there."""
    port: int
    start_script: str
    """A shell script; it reads only the environment."""
    ready_command: tuple[str, ...]
    """Succeeds in its container once it is ready."""
    password_variable: str
    scheme: str
    variable: str
    """The application's variable for its address, unless the analysis names another."""
    stores_password: bool
    """Whether its data contain the password that they were created with."""

    @property
    def environment(self) -> dict[str, str]:
        """Its environment, without the password."""
        return {"POSTGRES_USER": _USER, "PGDATA": self.data_folder} if self.name == "postgres" else {}

    def url(self, password: str) -> str:
        """Return its address for the application."""
        if self.name == "postgres":
            return f"{self.scheme}://{_USER}:{quote(password)}@{self.name}:{self.port}/{_USER}"
        return f"{self.scheme}://default:{quote(password)}@{self.name}:{self.port}/0"


KINDS: dict[ServiceKind, ServiceSpec] = {
    "postgres": ServiceSpec(
        name="postgres",
        images=("postgres:17", "postgres:16", "container-kit/postgres:1"),
        dockerfile=_POSTGRES,
        user="postgres",
        data_folder="/var/lib/postgresql/data",
        port=5432,
        start_script=_START_POSTGRES,
        ready_command=("pg_isready", "-h", "127.0.0.1", "-U", _USER),
        password_variable="POSTGRES_PASSWORD",  # noqa: S106 - a name
        scheme="postgresql",
        variable="DATABASE_URL",
        stores_password=True,
    ),
    "redis": ServiceSpec(
        name="redis",
        images=("redis:7", "redis:latest", "container-kit/redis:1"),
        dockerfile=_REDIS,
        user="redis",
        data_folder="/data",
        port=6379,
        start_script=_START_REDIS,
        ready_command=("sh", "-c", "redis-cli ping | grep -q PONG"),
        password_variable="REDISCLI_AUTH",  # noqa: S106 - a name
        scheme="redis",
        variable="REDIS_URL",
        stores_password=False,
    ),
}
