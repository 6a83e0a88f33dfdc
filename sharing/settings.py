"""All settings: environment variables `SHARING_*`, and one TOML file named by `SHARING_CONFIG`.

The environment wins over the file. Nothing has a default that would do harm in production: what is needed and not
set is an error of the command that needs it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sharing.errors import InputError, SettingsError
from sharing.law.pack_code import normalise_pack_code
from sharing.model.countries import normalise_country
from sharing.model.validation import describe, nearest
from sharing.topology.topics import AGENCY_PATTERN

CONFIG_VARIABLE = "SHARING_CONFIG"


def _state(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return normalise_country(value)
    except InputError as error:
        raise ValueError(str(error)) from None


def _pack(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return normalise_pack_code(value)
    except InputError as error:
        raise ValueError(str(error)) from None


def _agencies(value: str | None) -> str | None:
    if value is None:
        return None
    agencies = [part.strip() for part in value.split(",") if part.strip()]
    if not agencies:
        raise ValueError("is empty; give agencies' ids, separated by commas, such as fedpol,customs")
    wrong = next((agency for agency in agencies if not re.match(AGENCY_PATTERN, agency)), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is no agency's id: 1 to 40 lower-case letters, digits and '-'")
    if len(set(agencies)) < len(agencies):
        raise ValueError("an agency stands twice")
    return ",".join(agencies)


class Settings(BaseSettings):
    """Every setting, validated. Units are in the names."""

    model_config = SettingsConfigDict(env_prefix="SHARING_", env_ignore_empty=True, extra="forbid", frozen=True)

    bootstrap: str | None = Field(default=None, description="Kafka bootstrap servers, such as broker:9092.")
    state: Annotated[str | None, AfterValidator(_state)] = Field(
        default=None, description="The State whose gate this is, such as CH."
    )
    agencies: Annotated[str | None, AfterValidator(_agencies)] = Field(
        default=None, description="Ids of the agencies that publish each to a topic of its own; one topic when not set."
    )
    partners: Path | None = Field(default=None, description="YAML with the States and agencies on the cluster.")
    tls_ca: Path | None = Field(
        default=None, description="PEM with the authority that signed the brokers' certificates."
    )
    tls_certificate: Path | None = Field(default=None, description="PEM with one's own certificate, and its chain.")
    tls_key: Path | None = Field(default=None, description="PEM with the private key of that certificate.")
    tls_key_password: SecretStr | None = Field(default=None, description="Password of that key, where it has one.")
    packs: Path | None = Field(default=None, description="Folder of law packs; the shipped ones when not set.")
    pack: Annotated[str | None, AfterValidator(_pack)] = Field(
        default=None, description="Pack that the State has adopted, such as EU; its own when not set."
    )
    pack_key: Path | None = Field(
        default=None, description="PEM with the State's Ed25519 public key: only packs it signed are applied."
    )
    registry: str | None = Field(
        default=None, description="URL of a Schema Registry's Confluent API; single-object encoding when not set."
    )
    geoip: Path | None = Field(default=None, description="MaxMind-format database for the country of an IP address.")
    home: Path = Field(default=Path("~/.local/state/sharing"), description="Where a local broker keeps its data.")
    partitions: int = Field(default=4, ge=1, le=1000, description="Partitions of each topic but the directory.")
    replication: int = Field(default=1, ge=1, le=9, description="Replicas of each partition, for `topics apply`.")
    instance: str = Field(
        default="0",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name of this worker among those of its gate: a restarted one takes its partitions back.",
    )
    batch_records_max: int = Field(default=10_000, ge=1, le=100_000, description="Records in one transaction.")
    transaction_timeout_ms: int = Field(
        default=30_000,
        ge=1_000,
        le=900_000,
        description="After it the broker aborts a silent worker's transaction.",
    )
    session_timeout_ms: int = Field(
        default=10_000, ge=1_000, le=300_000, description="After it a silent worker loses its partitions."
    )
    start_timeout_ms: int = Field(
        default=60_000, ge=1_000, le=900_000, description="How long a worker waits for the first answer of a broker."
    )
    web_port: int | None = Field(default=None, ge=0, le=65535, description="Port of /metrics; no web when not set.")
    web_bind: str = Field(
        default="127.0.0.1", description="Address on which /metrics is served; restrict who reads it."
    )
    prometheus: str | None = Field(
        default=None, description="URL of the Prometheus that watches, whose alerts `sharing top` shows."
    )
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="Least level logged.")
    log_format: str = Field(
        default="auto", pattern="^(auto|json|text)$", description="How log lines look: text on a terminal, else JSON."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="Where spans go, by OpenTelemetry's protocol over HTTP; needs the extra `tracing`.",
    )

    @property
    def agency_ids(self) -> tuple[str, ...]:
        """`agencies`, one by one."""
        return tuple(self.agencies.split(",")) if self.agencies else ()

    @property
    def folder(self) -> Path:
        """`home`, with ~ expanded."""
        return self.home.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then file; no others."""
        del dotenv_settings, file_secret_settings
        return (init_settings, env_settings, _file_source(settings_cls))


def _file_source(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    path = os.environ.get(CONFIG_VARIABLE)
    return TomlConfigSettingsSource(settings_cls, toml_file=Path(path) if path else None)


def load_settings(**given: Any) -> Settings:
    """Return the settings; `given` (what the command line said, None for nothing) wins.

    Raises:
        SettingsError: A setting is unknown or wrong, or the file cannot be read.
    """
    _check_file()
    _refuse_unknown_variables()
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        finding = error.errors(include_url=False, include_input=False)[0]
        field, sentence = describe({**finding, "input": None}, Settings)
        raise SettingsError(f"{_variable(field)} (or `{field}` in the settings file): {sentence}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"the settings file {os.environ.get(CONFIG_VARIABLE)} cannot be read: {error}") from None


def origins() -> dict[str, str]:
    """Return where each setting comes from: `environment`, `file` or `default`."""
    _check_file()
    environment = EnvSettingsSource(Settings)()
    file = _file_source(Settings)()
    return {
        name: "environment" if name in environment else "file" if name in file else "default"
        for name in Settings.model_fields
    }


def _variable(field: str) -> str:
    return f"SHARING_{field.upper()}"


def _check_file() -> None:
    path = os.environ.get(CONFIG_VARIABLE)
    if path and not Path(path).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which is not a file")


def _refuse_unknown_variables() -> None:
    known = {_variable(name) for name in Settings.model_fields} | {CONFIG_VARIABLE}
    for name in sorted(os.environ):
        if name.upper().startswith("SHARING_") and name.upper() not in known:
            raise SettingsError(f"unknown setting {name}{nearest(name.upper(), known)}; `sharing settings` lists them")
