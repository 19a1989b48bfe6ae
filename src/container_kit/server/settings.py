"""Settings from `CONTAINER_KIT_*` variables, `container-kit.toml` in the current directory and defaults."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from container_kit.pipelines.durable.config import RESULT_TTL, DurableConfig, Retention
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.stages.contract.operator_policy import OperatorPolicy
from container_kit.stages.contract.paths import state_folder
from container_kit.stages.deploy.places import resolve_targets
from container_kit.stages.deploy.targets import Targets

FILE = "container-kit.toml"
_KEY_BYTES = 32

Names = Annotated[tuple[str, ...], NoDecode]
"""A list in TOML; comma-separated in a variable."""


class NamedToken(BaseModel):
    """The bearer token of one principal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: Annotated[SecretStr, Field(min_length=16)]
    role: Literal["viewer", "developer", "operator"] = "developer"


class Settings(BaseSettings):
    """The settings of an operator."""

    model_config = SettingsConfigDict(
        env_prefix="CONTAINER_KIT_", env_nested_delimiter="__", toml_file=FILE, extra="forbid", frozen=True
    )

    workspace: Annotated[tuple[Path, ...], NoDecode] = Field(default_factory=lambda: (Path.cwd(),))
    """Folders that runs may access; separated as in PATH in the variable."""
    home: Path = Field(default_factory=state_folder)
    """The folder of the state."""
    store: str | None = None
    """The database of the runs: `postgresql://…`. Defaults to a SQLite file in `home`."""
    journal_key: SecretStr | None = Field(default=None, min_length=_KEY_BYTES)
    """Encrypts the runs in a Postgres database. All processes on it share the key. SQLite has its own key in a file."""
    role: Literal["local", "server"] = "local"
    """`local` executes runs in this process; `server` leaves them to workers on the same store."""
    concurrency: int | None = Field(default=None, ge=1)
    """Maximum number of parallel runs of all processes on the store. Unlimited by default."""
    retention_runs: int = Field(default=1000, ge=1)
    """Number of finished runs to keep."""
    retention_days: float = Field(default=30.0, gt=0)
    """Days to keep a finished run."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["console", "json"] = "console"

    toolsets: Names = ()
    """Names of toolsets, `default` or `all`. Empty means the default toolsets."""
    tools: Names = ()
    """Names of further tools, from any toolset."""
    exclude_tools: Names = ()
    read_only: bool = False
    """Only tools that change nothing. This overrides every other selection."""
    disable_destructive: bool = False
    """No tools that may replace or remove existing things."""
    pipelines: Names = ()
    """Modules whose pipelines become tools."""

    targets: dict[str, Target] = Field(default_factory=dict)
    """Deployment targets by name. If there are any, nothing else can be deployed to: configure `local` for the engine
    of this machine. Without any, the local engine and the contexts of the kubeconfig are the targets."""

    build_secrets: Names = ()
    """Variables of the server, or patterns such as `BUILD_*`, that a build may receive as secrets. None by default."""
    registries: Names = ()
    """Registries, or patterns such as `*.example.org`, that images may be pushed to. Empty allows every registry."""

    osv_api: str | None = None
    """The address of the API of OSV, which scans query with names and versions of packages; `off` turns that off.
    Defaults to https://api.osv.dev."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    allowed_hosts: Names = ()
    """Accepted Host headers other than loopback, such as `kit.example.org` or `kit.example.org:*`."""
    allowed_origins: Names = ()
    auth_token: SecretStr | None = None
    """The bearer token that every HTTP request needs. By default, the server on loopback generates one."""
    tokens: dict[str, NamedToken] = Field(default_factory=dict)
    """Bearer tokens of several principals by name, with their roles."""
    default_role: Literal["viewer", "developer", "operator"] = "developer"
    """The role of OAuth tokens without a scope such as `container-kit:operator`."""
    no_token: bool = False
    """Without other authentication, every program on this machine may call the tools over HTTP."""
    request_state_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Keys of at least 32 bytes that servers behind one address share. The first key protects new request state; the
    others are still accepted, for rotation. By default each server generates its own key."""
    oauth_issuer: str | None = None
    """The OAuth authorization server whose tokens are accepted."""
    public_url: str | None = None
    """The URL of this server for clients. It is the audience of OAuth tokens."""
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    max_concurrent_calls: int = Field(default=256, ge=1)
    """Maximum number of parallel calls over HTTP. Further ones are rejected with 503."""
    rate_limit_per_minute: int = Field(default=600, ge=1)
    """HTTP requests per minute from one client. Further ones are rejected with 429."""
    max_streams_per_client: int = Field(default=64, ge=1)
    """Open streams of notifications of one client. Further ones are rejected with 429."""
    max_connections: int | None = Field(default=None, ge=1)
    """Maximum number of connections over HTTP. By default, and at most, what the limit of open files allows."""
    max_connections_per_address: int | None = Field(default=None, ge=1)
    """Maximum number of connections from one address. Half of all by default."""

    def run_store(self) -> DurableConfig:
        """Return the configuration of the store of the runs."""
        home = self.home.expanduser()
        return DurableConfig(
            self.store or f"sqlite:///{home / 'runs.db'}",
            home,
            key=None if self.journal_key is None else self.journal_key.get_secret_value(),
            role="server" if self.read_only else self.role,  # it resumes no runs of other processes either
            concurrency=self.concurrency,
            retention=Retention(self.retention_runs, self.retention_days * 24 * 3600, RESULT_TTL),
        )

    @cached_property
    def deployment_targets(self) -> Targets:
        """The configured targets, resolved once for this process. Reads the kubeconfig if a target is a cluster."""
        return resolve_targets(tuple(self.targets.values()))

    @property
    def policy(self) -> OperatorPolicy:
        """Return the rules on what leaves this machine."""
        return OperatorPolicy(build_secrets=self.build_secrets, registries=self.registries, osv_api=self.osv_api)

    @field_validator("request_state_keys")
    @classmethod
    def _check_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value().encode()) < _KEY_BYTES for key in value) or len(set(value)) < len(value):
            raise ValueError(f"each key needs at least {_KEY_BYTES} bytes, and all keys must differ")
        return value

    @field_validator("targets", mode="before")
    @classmethod
    def _add_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {**item, "name": name} if isinstance(item, dict) else item for name, item in value.items()}

    @field_validator("workspace", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("workspace")
    @classmethod
    def _check_folders(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for folder in value:
            if not folder.expanduser().is_dir():
                raise ValueError(f"{folder} is not a directory")
        return tuple(folder.expanduser().resolve() for folder in value)

    @field_validator(
        "toolsets",
        "tools",
        "exclude_tools",
        "pipelines",
        "build_secrets",
        "registries",
        "allowed_hosts",
        "allowed_origins",
        "request_state_keys",
        mode="before",
    )
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - callers pass it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources by precedence: command line, variables, file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(**overrides: Any) -> Settings:
    """Load the settings.

    Args:
        overrides: Settings of the command line; None means not set.

    Raises:
        ConfigurationError: A setting is invalid. The message names it but repeats no value.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("; ".join(problems)) from None
    except ValueError as error:  # invalid TOML
        raise ConfigurationError(f"{FILE}: {error}") from error
