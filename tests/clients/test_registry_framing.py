"""`registry_framing`, the public way to a framing with the schema ids of a Schema Registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sharing import Framing, InfrastructureError, InputError, SettingsError, registry_framing
from sharing.serialization.codec import get_codec
from sharing.serialization.schema_registry import SchemaRegistry
from sharing.topology.topics import list_topics
from tests.kafka.topic_io import notice_record

if TYPE_CHECKING:
    from collections.abc import Iterable

URL = "http://registry.example"


class MemoryClient:
    """The part of confluent_kafka's `SchemaRegistryClient` that is used here, with a registry in memory.

    Attributes:
        ids: Schema id, by schema text.
        subjects: Registered schema texts, by subject.
    """

    def __init__(self, _: dict[str, Any]) -> None:
        self.ids: dict[str, int] = {}
        self.subjects: dict[str, list[str]] = {}

    def register_schema(self, subject: str, schema: Any) -> int:
        texts = self.subjects.setdefault(subject, [])
        if schema.schema_str not in texts:
            texts.append(schema.schema_str)
        return self.ids.setdefault(schema.schema_str, 1 + len(self.ids))

    def lookup_schema(self, subject: str, schema: Any) -> Any:
        if schema.schema_str not in self.subjects.get(subject, ()):
            raise _not_found(subject)
        return type("RegisteredSchema", (), {"schema_id": self.ids[schema.schema_str]})

    def get_versions(self, subject: str) -> Iterable[int]:
        if subject not in self.subjects:
            raise _not_found(subject)
        return range(len(self.subjects[subject]))

    def get_compatibility(self, _: str) -> str:
        return "FULL_TRANSITIVE"


def _not_found(subject: str) -> Exception:
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    return SchemaRegistryError(404, 40401, f"subject {subject} not found")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> SchemaRegistry:
    """A registry in memory, which every `SchemaRegistry` of the test uses."""
    module = pytest.importorskip("confluent_kafka.schema_registry")
    client = MemoryClient({})
    monkeypatch.setattr(module, "SchemaRegistryClient", lambda _: client)
    return SchemaRegistry(URL)


@pytest.mark.parametrize("agencies", [{}, {"CH": ["fedpol", "customs"]}], ids=["common topic", "topics by agency"])
def test_the_framing_writes_and_reads_records_with_the_ids_of_the_registry(
    registry: SchemaRegistry, agencies: dict[str, list[str]]
) -> None:
    registry.register_schemas(list_topics(["CH"], 1, agencies).values())
    framing = registry_framing(URL, "ch")
    assert isinstance(framing, Framing)
    codec, record = get_codec("notice"), notice_record("CH")
    framed = framing.frame("notice", codec.encode_unframed(record))
    assert framed[:1] == b"\x00"
    assert framing.to_single_object(framed) == codec.encode(record)
    assert framing.frame("indicator", b"")[:1] == b"\x00"


def test_a_schema_that_is_not_registered_is_an_error_with_its_remedy(registry: SchemaRegistry) -> None:
    registry.register_schemas(list_topics(["CH"], 1).values())
    with pytest.raises(InfrastructureError, match="`sharing topics apply` registers schemas"):
        registry_framing(URL, "DE")


def test_wrong_arguments_are_refused() -> None:
    pytest.importorskip("confluent_kafka.schema_registry")
    with pytest.raises(InputError, match="ISO 3166-1"):
        registry_framing(URL, "Swizterland")
    with pytest.raises(SettingsError, match="must be an http or https URL"):
        registry_framing("registry.example", "CH")
