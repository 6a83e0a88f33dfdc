"""The Schema Registry, where one is configured: schemas are registered ahead, and never by who writes records.

Any registry with Confluent's API will do; the subjects are those of Confluent's TopicNameStrategy
(`<topic>-value`), each with FULL_TRANSITIVE compatibility. Needs the extra `registry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastavro

from sharing.errors import InfrastructureError, SettingsError
from sharing.serialization.codec import SINGLE_OBJECT, fingerprint_of, released_texts, schema_text
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing, registry_frame
from sharing.settings import Settings
from sharing.topology.topics import DIRECTORY, TABLE, Topic

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

COMPATIBILITY = "FULL_TRANSITIVE"
ASK_SECONDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of one subject: `registered`, or `same`."""

    subject: str
    kind: str
    schema_id: int


class Registry:
    """A Schema Registry.

    Args:
        url: Of its API with Confluent's paths.

    Raises:
        SettingsError: The extra is not installed, or the URL is none.
    """

    def __init__(self, url: str) -> None:
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 of an optional extra
        except ImportError as error:
            raise SettingsError(
                f"a Schema Registry is configured, and {error.name} is missing: pip install 'sharing-bus[registry]'"
            ) from None
        self._url = url
        try:
            properties = {"url": url, "timeout": ASK_SECONDS_MAX, "max.retries": 1}
            self._client: SchemaRegistryClient = SchemaRegistryClient(properties)
        except (ValueError, TypeError):
            raise SettingsError("SHARING_REGISTRY: must be the http or https URL of a Schema Registry") from None

    def register(self, topics: Iterable[Topic]) -> list[Registered]:
        """Register the schema of each topic, every released version and the current one, in order.

        Raises:
            InfrastructureError: The registry does not answer, or refuses: a schema is not compatible with one there.
        """
        return [self._register(_subject(topic.name), topic.kind.schema) for topic in topics if topic.kind.schema]

    def framing(self, state: str | None) -> Framing:
        """Return the framing with the ids that the registry gave: what is written, and all that can be read.

        Args:
            state: One that has its topics on the cluster: a schema has one id, whatever its subjects. None for the
                directory alone.

        Raises:
            InfrastructureError: The registry does not answer, or a schema is not registered.
        """
        kinds = TABLE if state is not None else (DIRECTORY,)
        subjects = {kind.schema: _subject(kind.topic(state or "")) for kind in kinds if kind.schema}
        written: dict[str, bytes] = {}
        known: dict[bytes, bytes] = {}
        for schema, subject in subjects.items():
            for text in _texts(schema):
                frame = registry_frame(self._ask(lambda s=subject, t=text: self._look_up(s, t), subject))
                known[frame] = SINGLE_OBJECT + fingerprint_of(fastavro.parse_schema(json.loads(text), {}))
                written[schema] = frame  # the current one comes last
        return Framing(written, known)

    def _register(self, subject: str, schema: str) -> Registered:
        present = set(self._ask(lambda: self._versions(subject), subject))
        found = 0
        for text in _texts(schema):
            found = self._ask(lambda t=text: self._client.register_schema(subject, _schema(t)), subject)
        if self._ask(lambda: self._compatibility(subject), subject) != COMPATIBILITY:
            self._ask(lambda: self._client.set_compatibility(subject, COMPATIBILITY), subject)
        same = len(self._ask(lambda: self._versions(subject), subject)) == len(present)
        return Registered(subject, "same" if same else "registered", found)

    def _versions(self, subject: str) -> list[int]:
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415

        try:
            return list(self._client.get_versions(subject))
        except SchemaRegistryError as error:
            if error.http_status_code == 404:  # noqa: PLR2004 not there
                return []
            raise

    def _compatibility(self, subject: str) -> str | None:
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415

        try:
            return str(self._client.get_compatibility(subject))
        except SchemaRegistryError:
            return None  # nothing of its own is set

    def _look_up(self, subject: str, text: str) -> int:
        return int(self._client.lookup_schema(subject, _schema(text)).schema_id or 0)

    def _ask(self, call: Any, subject: str) -> Any:
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415

        try:
            return call()
        except SchemaRegistryError as error:
            raise InfrastructureError(
                f"the Schema Registry refuses {subject} ({error.http_status_code}: {error.error_message}); "
                "`sharing topics apply` registers schemas"
            ) from None
        except Exception as error:  # noqa: BLE001 the HTTP library below is not fixed, nor are its errors
            raise InfrastructureError(
                f"the Schema Registry does not answer at {self._url} ({type(error).__name__}); start it, or unset "
                "SHARING_REGISTRY"
            ) from None


def open_framing(settings: Settings, state: str | None) -> Framing:
    """Return the framing that the settings ask for.

    Args:
        settings: `registry` names the Schema Registry; without it, single-object encoding.
        state: One that has its topics on the cluster; None for the directory alone.

    Raises:
        InfrastructureError: The registry does not answer, or a schema is not registered.
        SettingsError: The extra is not installed.
    """
    return SINGLE_OBJECT_FRAMING if settings.registry is None else Registry(settings.registry).framing(state)


def _subject(topic: str) -> str:
    return f"{topic}-value"


def _texts(schema: str) -> list[str]:
    """Return every version of a schema, the current one last; one text where two say the same."""
    by_print = {fingerprint_of(fastavro.parse_schema(json.loads(text), {})): text for text in (
        *released_texts(schema).values(), schema_text(schema),
    )}  # fmt: skip
    return list(by_print.values())


def _schema(text: str) -> Any:
    from confluent_kafka.schema_registry import Schema  # noqa: PLC0415

    return Schema(text, "AVRO")
