"""All settings: environment variables `SHARING_*`, and one TOML file that `SHARING_CONFIG` names.

The environment takes precedence over the file. No default is harmful in production: a command that needs a setting
without a default fails if it is not set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from sharing.errors import SettingsError
from sharing.model.validation_errors import describe_error
from sharing.setting_sources import (
    CONFIG_VARIABLE,
    make_file_source,
    name_source,
    reject_unknown_variables,
    require_settings_file,
)
from sharing.setting_types import (
    AgencyId,
    AgencyIds,
    AgencyNames,
    BootstrapServers,
    LogBeginnings,
    Origin,
    PackCode,
    StateCode,
    StateCodes,
)
from sharing.setting_urls import BindAddress, HttpUrl, SmtpUrl, WebhookUrl
from sharing.topology.broker_settings import TRANSACTION_TIMEOUT_MS
from sharing.topology.name_patterns import PURPOSE_PATTERN, READER_NAME_PATTERN


class Settings(BaseSettings):
    """All settings, validated. Names contain the units."""

    model_config = SettingsConfigDict(env_prefix="SHARING_", env_ignore_empty=True, extra="forbid", frozen=True)

    bootstrap: BootstrapServers | None = Field(
        default=None, description="Kafka bootstrap servers, such as broker:9092."
    )
    state: StateCode | None = Field(
        default=None, description="The State that the gate serves, or that publishes, such as CH."
    )
    agency: str | None = Field(default=None, description="The agency that publishes, unless an option names another.")
    agencies: AgencyIds | None = Field(
        default=None, description="Ids of the agencies that have separate topics; if not set, all share one topic."
    )
    feeds_not_asked: AgencyNames | None = Field(
        default=None, description="Agencies, comma-separated, for whose items no officer is asked for missing facts."
    )
    tell_outcomes: bool = Field(
        default=True, description="Tell the State's agencies what became of their items, on `national.<st>.outcomes`."
    )
    loops: Literal["both", "gate", "conversation"] = Field(
        default="both",
        description="What a worker with keys runs: both loops, or only one if each has its own process.",
    )
    witnesses: StateCodes | None = Field(
        default=None,
        description="States that cosign the checkpoints of the audit logs; if not set, as the partners file says.",
    )
    witness_for: StateCodes | None = Field(
        default=None,
        description="States whose checkpoints this State cosigns; if not set, as the partners file says.",
    )
    witness_again: LogBeginnings | None = Field(
        default=None,
        description="Logs that are witnessed again after a gap, with the size to begin at: de.sharing/acts/0@1234.",
    )
    trust_writers_time: bool = Field(
        default=False,
        description="Use writers' times if the broker does not stamp records: for demos on this machine only.",
    )
    partners: Path | None = Field(default=None, description="YAML file with the States and agencies on the cluster.")
    tls_ca: Path | None = Field(default=None, description="PEM file with the CA that signed the brokers' certificates.")
    tls_certificate: Path | None = Field(
        default=None, description="PEM file with the client certificate and its chain."
    )
    tls_key: Path | None = Field(default=None, description="PEM file with the private key of that certificate.")
    tls_key_password: SecretStr | None = Field(default=None, description="Password of that key, if it has one.")
    packs: Path | None = Field(default=None, description="Folder with the law packs; if not set, the shipped packs.")
    pack: PackCode | None = Field(
        default=None, description="Pack that the State has adopted, such as EU; if not set, the State's own pack."
    )
    pack_key: Path | None = Field(
        default=None,
        description="PEM file with the State's Ed25519 public key; if set, only packs signed with it are applied.",
    )
    pack_rollback: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of an older signed pack that a gate may go back to; if not set, it never goes back.",
    )
    state_folder: Path | None = Field(
        default=None,
        description="Folder in which a program remembers which pack and which statements of States it accepted last.",
    )
    id_secret_file: Path | None = Field(
        default=None,
        description="File with the agency's secret, from which the ids of items in files are derived; readable by "
        "you only.",
    )
    key_folder: Path | None = Field(
        default=None, description="Folder with the State's roots, key statements and online private keys."
    )
    key_passphrase_file: Path | None = Field(
        default=None, description="File with the passphrase of the online private keys; readable by its owner only."
    )
    key_token: str | None = Field(
        default=None,
        description="PKCS#11 URI of the token that keeps the private keys, with `token`, `module-path`, `pin-source`.",
    )
    reader_key: Path | None = Field(
        default=None, description="File of a reader's private key; if set, `sharing subscribe` reads the sealed inbox."
    )
    reader_passphrase_file: Path | None = Field(
        default=None, description="File with the passphrase of the reader's key; readable by its owner only."
    )
    reader_name: str | None = Field(
        default=None,
        pattern=READER_NAME_PATTERN,
        description="Name under which `national.<st>.uses` records what is opened; if not set, that of the key file.",
    )
    reader_purpose: str | None = Field(
        default=None,
        pattern=PURPOSE_PATTERN,
        description="Reason why content is opened, for that record: a code, such as investigation; no case number "
        "or name.",
    )
    record_uses: bool = Field(
        default=True, description="Record what is opened; false only for a program that keeps such a record itself."
    )
    seal_to_worker: bool = Field(
        default=True,
        description=(
            "With `trust_file`, indicators and rulings are sealed to the State's worker; false only where the State "
            "runs its own cluster."
        ),
    )
    trust_file: Path | None = Field(default=None, description="YAML file with the pinned roots of other States.")
    time_stamp_url: HttpUrl | None = Field(
        default=None, description="Address of a service that time-stamps checkpoints of the audit log (RFC 3161)."
    )
    time_stamp_interval_ms: int = Field(
        default=3_600_000, ge=0, description="How long after a time stamp of a log the worker asks for the next one."
    )
    time_stamp_roots: Path | None = Field(
        default=None, description="PEM file with the root certificates of the trusted time-stamping services."
    )
    registry: HttpUrl | None = Field(
        default=None, description="URL of a Schema Registry's Confluent API; if not set, Avro single-object encoding."
    )
    registry_user: str | None = Field(default=None, description="User name at the Schema Registry, if it requires one.")
    registry_password_file: Path | None = Field(default=None, description="File with that user's password.")
    registry_ca: Path | None = Field(
        default=None, description="PEM file with the CA of the Schema Registry; if not set, the system's CAs."
    )
    geoip: Path | None = Field(
        default=None, description="MaxMind-format database that gives the country of an IP address."
    )
    home: Path = Field(default=Path("~/.local/state/sharing"), description="Data folder of a local broker.")
    partitions: int = Field(default=4, ge=1, le=1000, description="Partitions of each topic, except the directory.")
    replication: int = Field(default=1, ge=1, le=9, description="Replicas of each partition, for `topics apply`.")
    instance: str = Field(
        default="0",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name of this worker, unique within its gate and stable across restarts.",
    )
    batch_records_max: int = Field(
        default=10_000, ge=1, le=100_000, description="Maximum number of records in one transaction."
    )
    transaction_timeout_ms: int = Field(
        default=TRANSACTION_TIMEOUT_MS,
        ge=1_000,
        le=900_000,
        description="After this time the broker aborts the transaction of an unresponsive worker.",
    )
    session_timeout_ms: int = Field(
        default=10_000, ge=1_000, le=300_000, description="After this time an unresponsive worker loses its partitions."
    )
    start_timeout_ms: int = Field(
        default=60_000,
        ge=1_000,
        le=900_000,
        description="How long a starting worker waits for a broker's first response.",
    )
    directory_interval_ms: int = Field(
        default=60_000,
        ge=0,
        le=3_600_000,
        description="A gate applies at most one change of a State's directory entry in this time.",
    )
    web_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of /metrics, /health and /ready; not served if not set."
    )
    web_bind: BindAddress = Field(
        default="127.0.0.1", description="Address of these endpoints; restrict who can read them."
    )
    prometheus: HttpUrl | None = Field(
        default=None, description="URL of the Prometheus whose alerts `sharing top` shows."
    )
    smtp_url: SmtpUrl | None = Field(
        default=None, description="Mail server for escalation messages, such as smtps://user:password@mail.example.org."
    )
    smtp_sender: str | None = Field(default=None, description="Sender's address of these messages.")
    smtp_contact: str | None = Field(
        default=None, description="Addresses of the 24/7 contact point, separated by commas."
    )
    smtp_superior: str | None = Field(
        default=None, description="Addresses of its superior, who is notified at the last step and of what is overdue."
    )
    webhook_url: WebhookUrl | None = Field(
        default=None, description="URL to which escalation messages are posted as JSON: https, or on this machine."
    )
    escalation_ca: Path | None = Field(
        default=None, description="PEM file with the CA of mail server and webhook; if not set, the system's CAs."
    )
    ask_link: HttpUrl | None = Field(
        default=None,
        description="URL under which the console shows a question, for links in these messages; its id is appended.",
    )
    desk_origin: Origin | None = Field(
        default=None,
        description="Address of the duty desk in browsers, such as https://desk.example; never an IP address.",
    )
    desk_host: BindAddress = Field(default="127.0.0.1", description="Address on which the duty desk listens.")
    desk_port: int = Field(default=8443, ge=1, le=65535, description="Port on which the duty desk listens.")
    desk_tls_certificate: Path | None = Field(
        default=None, description="PEM file with the certificate of the duty desk's pages and its chain."
    )
    desk_tls_key: Path | None = Field(default=None, description="PEM file with the private key of that certificate.")
    desk_metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port of the desk's metrics, at the address of `web_bind`; not served if not set.",
    )
    desk_language: Literal["en", "fr"] = Field(
        default="en", description="Language of the desk's pages if the browser prefers none of those available."
    )
    desk_agency: AgencyId | None = Field(
        default=None, description="Agency under which the duty desk publishes, naming the officer; none if not set."
    )
    desk_agency_certificate: Path | None = Field(
        default=None, description="PEM file with the client certificate of that agency and its chain."
    )
    desk_agency_key: Path | None = Field(default=None, description="PEM file with the private key of that certificate.")
    desk_lost_before: int = Field(
        default=0,
        ge=0,
        description="Records before this offset of the desk's own topic that cannot be read count as lost; "
        "officers go on without them.",
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Lowest level that is logged."
    )
    log_format: str = Field(
        default="auto",
        pattern="^(auto|json|text)$",
        description="Format of log lines; auto: text on a terminal, otherwise JSON.",
    )
    otlp_endpoint: HttpUrl | None = Field(
        default=None,
        description="OTLP/HTTP endpoint to which a gate exports spans; needs the extra `tracing`.",
    )

    @property
    def agencies_not_asked(self) -> tuple[str, ...]:
        """The agencies in `feeds_not_asked`, as a tuple."""
        return tuple(self.feeds_not_asked.split(",")) if self.feeds_not_asked else ()

    @property
    def witness_states(self) -> tuple[str, ...] | None:
        """The States in `witnesses`, as a tuple; None if it is not set."""
        return None if self.witnesses is None else tuple(filter(None, self.witnesses.split(",")))

    @property
    def witnessed_states(self) -> tuple[str, ...] | None:
        """The States in `witness_for`, as a tuple; None if it is not set."""
        return None if self.witness_for is None else tuple(filter(None, self.witness_for.split(",")))

    @property
    def witness_beginnings(self) -> dict[str, int]:
        """The logs in `witness_again`, each with the number of blocks to begin at."""
        parts = (part.partition("@") for part in (self.witness_again or "").split(",") if part)
        return {origin: int(size) for origin, _, size in parts}

    @property
    def agency_ids(self) -> tuple[str, ...]:
        """The ids in `agencies`, as a tuple."""
        return tuple(self.agencies.split(",")) if self.agencies else ()

    @property
    def home_folder(self) -> Path:
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
        """Use arguments, then the environment, then the file, and no other sources."""
        del dotenv_settings, file_secret_settings
        return (init_settings, env_settings, make_file_source(settings_cls))


def load_settings(**options: Any) -> Settings:
    """Return the settings.

    Args:
        options: Values from the command line, which take precedence. None for options that were not given.

    Raises:
        SettingsError: A setting is unknown or wrong, or the file cannot be read.
    """
    require_settings_file()
    reject_unknown_variables(Settings.model_fields)
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        first_error = error.errors(include_url=False, include_input=False)[0]
        field, sentence = describe_error({**first_error, "input": None}, Settings)
        raise SettingsError(f"{name_source(field, options)}: {sentence}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"the settings file {os.environ.get(CONFIG_VARIABLE)} cannot be read: {error}") from None


def find_setting_origins() -> dict[str, str]:
    """Return the source of each setting's value: `environment`, `file` or `default`."""
    require_settings_file()
    environment = EnvSettingsSource(Settings)()
    file = make_file_source(Settings)()
    return {
        name: "environment" if name in environment else "file" if name in file else "default"
        for name in Settings.model_fields
    }
