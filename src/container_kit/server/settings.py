"""Settings: `CONTAINER_KIT_*` variables, then `container-kit.toml` in the current directory, then defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from container_kit.pipelines.runs.config import Store
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import WiringError
from container_kit.stages.contract.paths import state_folder
from container_kit.stages.deploy.targets import Targets

FILE = "container-kit.toml"
_KEY_BYTES = 32

Names = Annotated[tuple[str, ...], NoDecode]
"""A list in TOML, comma-separated in a variable."""


class Settings(BaseSettings):
    """All that an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="CONTAINER_KIT_", env_nested_delimiter="__", toml_file=FILE, extra="forbid", frozen=True
    )

    workspace: Annotated[tuple[Path, ...], NoDecode] = Field(default_factory=lambda: (Path.cwd(),))
    """Folders that runs may read; in the variable separated as in PATH."""
    home: Path = Field(default_factory=state_folder)
    """Where state is kept."""
    store: str | None = None
    """Where runs are kept: `postgresql://…`; by default a SQLite file in `home`."""
    role: Literal["local", "server"] = "local"
    """`local` carries out the runs that are asked of it; `server` leaves them to workers on the same store."""
    concurrency: int | None = Field(default=None, ge=1)
    """How many runs at once over all processes on the store; by default as many as are asked for."""
    retention_runs: int = Field(default=1000, ge=1)
    """How many runs that ended are kept."""
    retention_days: float = Field(default=30.0, gt=0)
    """For how many days a run that ended is kept."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["console", "json"] = "console"

    toolsets: Names = ()
    """Toolsets to offer, `default` or `all`; empty means the default ones."""
    tools: Names = ()
    """Single tools to offer, whatever their toolset."""
    exclude_tools: Names = ()
    read_only: bool = False
    """Offer only tools that change nothing; it wins over every other choice."""
    disable_destructive: bool = False
    """Offer no tool that may replace or remove what is there."""
    pipelines: Names = ()
    """Modules whose pipelines are offered as tools."""

    targets: dict[str, Target] = Field(default_factory=dict)
    """Where applications may be deployed, by name, beside the local engine, which is called `local`."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    allowed_hosts: Names = ()
    """Host headers to accept away from loopback, for example `kit.example.org` or `kit.example.org:*`."""
    allowed_origins: Names = ()
    auth_token: SecretStr | None = None
    """A bearer token that every HTTP request must carry."""
    request_state_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Secrets of 32 bytes or more that servers behind one address share: the first seals what a client brings back with
    a person's answer, the others are still understood. By default each server knows its own alone."""
    oauth_issuer: str | None = None
    """An OAuth authorization server whose tokens are accepted."""
    public_url: str | None = None
    """The URL by which clients reach this server; the audience of OAuth tokens."""
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    max_concurrent_calls: int = Field(default=256, ge=1)
    """Tool calls that are carried out at once over HTTP; more are refused with 503."""
    rate_limit_per_minute: int = Field(default=600, ge=1)
    """HTTP requests a minute from one caller; more are refused with 429."""

    def store_of_runs(self) -> Store:
        """Where runs are kept."""
        home = self.home.expanduser()
        return Store(
            self.store or f"sqlite:///{home / 'runs.db'}",
            home,
            role=self.role,
            concurrency=self.concurrency,
            retention_runs=self.retention_runs,
            keep_seconds=self.retention_days * 24 * 3600,
            targets=self.deployment_targets,
        )

    @property
    def deployment_targets(self) -> Targets:
        """The configured targets."""
        return tuple(self.targets.values())

    @field_validator("request_state_keys")
    @classmethod
    def _long_and_different(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value().encode()) < _KEY_BYTES for key in value) or len(set(value)) < len(value):
            raise ValueError(f"each key needs {_KEY_BYTES} bytes or more, and they must differ")
        return value

    @field_validator("targets", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {**one, "name": name} if isinstance(one, dict) else one for name, one in value.items()}

    @field_validator("workspace", mode="before")
    @classmethod
    def _paths(cls, value: Any) -> Any:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("workspace")
    @classmethod
    def _folders(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for folder in value:
            if not folder.expanduser().is_dir():
                raise ValueError(f"{folder} is not a directory")
        return tuple(folder.expanduser().resolve() for folder in value)

    @field_validator(
        "toolsets",
        "tools",
        "exclude_tools",
        "pipelines",
        "allowed_hosts",
        "allowed_origins",
        "request_state_keys",
        mode="before",
    )
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a caller names them
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments of the command line, then variables, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(**overrides: Any) -> Settings:
    """Read the settings.

    Args:
        overrides: Settings of the command line; None is left out.

    Raises:
        WiringError: One of them cannot be used; the message names it and repeats no value.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors(include_input=False, include_url=False)
        ]
        raise WiringError("; ".join(problems)) from None
    except ValueError as error:  # TOML that cannot be parsed
        raise WiringError(f"{FILE}: {error}") from error
