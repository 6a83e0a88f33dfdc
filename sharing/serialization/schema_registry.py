"""The optional Schema Registry. Schemas are registered in advance, never by the programs that write records.

Any registry with Confluent's API is supported. Subjects follow Confluent's TopicNameStrategy (`<topic>-value`), each
with FULL_TRANSITIVE compatibility. Requires the extra `registry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro

from sharing.errors import InfrastructureError, SettingsError
from sharing.model.countries import STATES, normalise_country
from sharing.serialization.codec import (
    SINGLE_OBJECT_MARKER,
    compute_fingerprint,
    read_released_schemas,
    read_schema_text,
)
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing, make_registry_header
from sharing.topology.topics import DIRECTORY, TOPIC_KINDS, Topic

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

    from sharing.settings import Settings

COMPATIBILITY = "FULL_TRANSITIVE"
REQUEST_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """The result of registering one subject.

    Attributes:
        subject: Name of the subject.
        kind: `registered`, or `same` if the registry had the schema already.
        schema_id: Id of the current schema.
    """

    subject: str
    kind: str
    schema_id: int


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How a client proves itself to a Schema Registry, and how it knows the registry.

    Attributes:
        user: User name; None for a registry without users.
        password: The user's password.
        ca: PEM file with the CA of the registry's certificate; None for the CAs of the system.
    """

    user: str | None = None
    password: str = field(default="", repr=False)
    ca: Path | None = None

    def client_properties(self) -> dict[str, str]:
        """Return the properties of confluent-kafka's registry client."""
        return {
            **({"basic.auth.user.info": f"{self.user}:{self.password}"} if self.user is not None else {}),
            **({"ssl.ca.location": str(self.ca)} if self.ca is not None else {}),
        }


def load_registry_access(settings: Settings) -> RegistryAccess:
    """Return the access that the settings select.

    Raises:
        SettingsError: Only one of user and password file is set, or the password file cannot be read.
    """
    user, file = settings.registry_user, settings.registry_password_file
    if (user is None) != (file is None):
        raise SettingsError("set both SHARING_REGISTRY_USER and SHARING_REGISTRY_PASSWORD_FILE, or neither")
    if file is None:
        return RegistryAccess(ca=settings.registry_ca)
    try:
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError(f"SHARING_REGISTRY_PASSWORD_FILE names {file}, which cannot be read: {reason}") from None
    return RegistryAccess(user, password, settings.registry_ca)


class SchemaRegistry:
    """Client of a Schema Registry.

    Args:
        url: URL of the registry's API with Confluent's paths.
        access: User, password and CA, if the registry requires them.

    Raises:
        SettingsError: The extra is not installed, the URL is not valid, or a password would be sent without TLS.
    """

    def __init__(self, url: str, access: RegistryAccess | None = None) -> None:
        access = access or RegistryAccess()
        if access.user is not None and not url.startswith("https://"):
            raise SettingsError(
                "the address of the Schema Registry (SHARING_REGISTRY) must begin with https:// if a user is "
                "configured, because the password would be readable on the network"
            )
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 from an optional extra
        except ImportError as error:
            raise SettingsError(
                f"the Schema Registry needs {error.name}, which is not installed: pip install 'sharing-bus[registry]'"
            ) from None
        self._url = url
        try:
            properties = {"url": url, "timeout": REQUEST_TIMEOUT_S, "max.retries": 1, **access.client_properties()}
            self._client: SchemaRegistryClient = SchemaRegistryClient(properties)
        except (ValueError, TypeError):
            raise SettingsError(
                "the address of the Schema Registry (SHARING_REGISTRY) must be an http or https URL"
            ) from None

    def register_schemas(self, topics: Iterable[Topic]) -> list[RegistrationResult]:
        """Register the schemas of each topic: every released version and the current one, in order.

        The schema of an agency's separate topic is also registered under the subject of the State's common topic, where
        `fetch_framing` looks it up.

        Raises:
            InfrastructureError: The registry does not respond, or refuses a schema because it is incompatible.
        """
        schemas = {
            _make_subject(name): topic.kind.schema
            for topic in topics
            if topic.kind.schema
            for name in (topic.kind.topic(topic.state), topic.name)
        }
        return [self._register(subject, schema) for subject, schema in schemas.items()]

    def fetch_framing(self, state: str | None) -> Framing:
        """Return the framing with the registry's schema ids: the headers to write, and all that can be read.

        Args:
            state: A State with topics on the cluster; any will do, since a schema has the same id under every subject.
                None for the directory only, under the subject of any State.

        Raises:
            InfrastructureError: The registry does not respond, or a schema is not registered.
        """
        if state is None:
            subjects = {DIRECTORY.schema: self._find_directory_subject()}
        else:
            subjects = {kind.schema: _make_subject(kind.topic(state)) for kind in TOPIC_KINDS if kind.schema}
        written_headers: dict[str, bytes] = {}
        known_headers: dict[bytes, bytes] = {}
        for schema, subject in subjects.items():
            for text in _read_versions(schema):
                header = make_registry_header(self._request(lambda s=subject, t=text: self._look_up(s, t), subject))
                fingerprint = compute_fingerprint(fastavro.parse_schema(json.loads(text), {}))
                known_headers[header] = SINGLE_OBJECT_MARKER + fingerprint
                written_headers[schema] = header  # the current version is the last one
        return Framing(written_headers, known_headers)

    def _find_directory_subject(self) -> str:
        """Return the subject of some State's directory topic.

        Raises:
            InfrastructureError: The registry does not respond, or no such subject is registered.
        """
        wanted = {_make_subject(DIRECTORY.topic(state)) for state in STATES}
        known = wanted.intersection(self._request(self._client.get_subjects, "the list of subjects"))
        if not known:
            raise InfrastructureError(
                f"the Schema Registry has no schema of the directory ({_make_subject(DIRECTORY.topic('<st>'))}); "
                "`sharing topics apply` registers schemas"
            )
        return min(known)

    def _register(self, subject: str, schema: str) -> RegistrationResult:
        version_count = len(self._request(lambda: self._get_versions(subject), subject))
        schema_id = 0
        for text in _read_versions(schema):
            schema_id = self._request(lambda t=text: self._client.register_schema(subject, _make_schema(t)), subject)
        if self._request(lambda: self._get_compatibility(subject), subject) != COMPATIBILITY:
            self._request(lambda: self._client.set_compatibility(subject, COMPATIBILITY), subject)
        is_same = len(self._request(lambda: self._get_versions(subject), subject)) == version_count
        return RegistrationResult(subject, "same" if is_same else "registered", schema_id)

    def _get_versions(self, subject: str) -> list[int]:
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415

        try:
            return list(self._client.get_versions(subject))
        except SchemaRegistryError as error:
            if error.http_status_code == 404:  # noqa: PLR2004 not found
                return []
            raise

    def _get_compatibility(self, subject: str) -> str | None:
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415

        try:
            return str(self._client.get_compatibility(subject))
        except SchemaRegistryError:
            return None  # not set for this subject

    def _look_up(self, subject: str, text: str) -> int:
        return int(self._client.lookup_schema(subject, _make_schema(text)).schema_id or 0)

    def _request(self, call: Any, subject: str) -> Any:
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415

        try:
            return call()
        except SchemaRegistryError as error:
            raise InfrastructureError(
                f"the Schema Registry refused {subject} ({error.http_status_code}: {error.error_message}); "
                "`sharing topics apply` registers schemas"
            ) from None
        except Exception as error:  # noqa: BLE001 the client may use any HTTP library, with its own errors
            raise InfrastructureError(
                f"the Schema Registry at {self._url} does not respond ({type(error).__name__}); start it, or unset "
                "SHARING_REGISTRY"
            ) from None


def registry_framing(
    url: str, state: str | None, *, user: str | None = None, password: str = "", ca: Path | None = None
) -> Framing:
    """Return the framing of a cluster with a Schema Registry, for `Publisher` and `Subscriber`.

    The registry is contacted once, for the schema ids of a State's topics. Requires the extra `registry`.

    Args:
        url: URL of the registry's Confluent API, such as `https://registry.example.org`.
        state: ISO 3166-1 alpha-2 code of a State with topics on the cluster, such as the client's. None for the
            directory only.
        user: User name at the registry, if it requires one; the URL must then begin with `https://`.
        password: That user's password.
        ca: PEM file with the CA of the registry's certificate. Default: the CAs of the system.

    Returns:
        The framing to pass as the argument `framing`.

    Raises:
        InfrastructureError: The registry does not respond, or a schema is not registered.
        InputError: The State is unknown.
        SettingsError: The extra is not installed, the URL is not an http or https URL, or a password would be sent
            without TLS.
    """
    code = normalise_country(state) if state is not None else None
    return SchemaRegistry(url, RegistryAccess(user, password, ca)).fetch_framing(code)


def load_framing(settings: Settings, state: str | None) -> Framing:
    """Return the framing that the settings select.

    Args:
        settings: `registry` is the URL of the Schema Registry; without it, records use single-object encoding.
        state: A State with topics on the cluster; None for the directory only.

    Raises:
        InfrastructureError: The registry does not respond, or a schema is not registered.
        SettingsError: The extra is not installed, or a setting of the registry is wrong.
    """
    if settings.registry is None:
        return SINGLE_OBJECT_FRAMING
    return SchemaRegistry(settings.registry, load_registry_access(settings)).fetch_framing(state)


def _make_subject(topic: str) -> str:
    return f"{topic}-value"


def _read_versions(schema: str) -> list[str]:
    """Return every distinct version of a schema, the current one last."""
    text_by_fingerprint = {compute_fingerprint(fastavro.parse_schema(json.loads(text), {})): text for text in (
        *read_released_schemas(schema).values(), read_schema_text(schema),
    )}  # fmt: skip
    return list(text_by_fingerprint.values())


def _make_schema(text: str) -> Any:
    from confluent_kafka.schema_registry import Schema  # noqa: PLC0415

    return Schema(text, "AVRO")
