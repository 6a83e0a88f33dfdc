"""The content of a message is what its envelope says: a proved sender cannot name another in the content."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sharing.errors import DecodeError
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.envelope import Stream
from sharing.seal.faults import SealFault
from sharing.seal.message_content import decode_content
from sharing.serialization.codec import get_codec
from tests.seal.seal_fixtures import expect_refusal, make_message, receive, seal, verify
from tests.trust.trust_fixtures import NOW

ID = make_message(1).id


def make_record(name: str, **fields: Any) -> bytes:
    """Return a record in which every field that matters here is set, and every other is empty."""
    record: dict[str, Any] = {}
    values = {
        "id": ID, "from_state": "CH", "to_state": "DE", "urgency": "ORDINARY", "sent_at": from_milliseconds(NOW),
    } | fields  # fmt: skip
    if name == "notice":
        values["content"] = make_record("notice_content")
    for field in get_codec(name).schema["fields"]:
        record[field["name"]] = values.get(field["name"], _make_empty(field["type"]))
    return get_codec(name).encode(record)


def _make_empty(schema: Any) -> Any:
    if isinstance(schema, list):
        return None
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "record":
        return {field["name"]: _make_empty(field["type"]) for field in schema["fields"]}
    if kind == "enum":
        return schema["symbols"][0]
    empty = {"string": "", "int": 1, "long": 1, "boolean": False, "bytes": b"", "array": [], "map": {}}
    is_time = isinstance(schema, dict) and "logicalType" in schema
    return datetime(2027, 1, 1, tzinfo=UTC) if is_time else empty[kind]


def decode(content: bytes, **fields: Any) -> dict[str, Any]:
    (value,) = seal(make_message(1, content=content, **fields))
    return decode_content(verify(value).envelope, receive(value))


def test_a_notice_and_an_offer_are_decoded() -> None:
    assert decode(make_record("notice"))["id"] == ID
    offer = {"kind": MessageKind.OFFER, "stream": Stream("gate", NOW, 0, "offers")}
    assert decode(make_record("offer"), **offer)["from_state"] == "CH"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", make_message(2).id),
        ("from_state", "FR"),
        ("to_state", "IT"),
        ("urgency", "EMERGENCY"),
        ("sent_at", from_milliseconds(NOW + 1)),
    ],
)
def test_a_content_that_names_something_else_is_refused(name: str, value: object) -> None:
    """CH's gate signs a message in which FR is the sender."""
    error = expect_refusal(SealFault.CONTENT_MISMATCH, lambda: decode(make_record("notice", **{name: value})))
    assert name in str(error)
    assert str(value) not in str(error)


def test_an_envelope_names_the_urgency_of_its_topic_and_the_content_the_exact_one() -> None:
    stream = Stream("gate", NOW, 0, "urgent")
    (value,) = seal(make_message(1, content=make_record("notice", urgency="EMERGENCY"), stream=stream))
    verified = verify(value)
    assert verified.envelope.urgency == "URGENT"
    assert decode_content(verified.envelope, receive(value))["urgency"] == "EMERGENCY"
    assert b"EMERGENCY" not in value
    expect_refusal(SealFault.CONTENT_MISMATCH, lambda: decode(make_record("notice"), stream=stream))


def test_a_content_of_another_kind_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode(make_record("offer"))
    with pytest.raises(DecodeError):
        decode(b"")
    with pytest.raises(DecodeError):
        decode(make_record("notice").replace(get_codec("notice_content").header, bytes(10)))
