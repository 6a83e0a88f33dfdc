"""Indicators as they are published: valid, and encoded.

An encoded indicator is the concatenation of its fields. Between the summary and the time of observation is what the
items of one investigation have in common, so a reader can decode that part once for all of them.
"""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import fastavro

from sharing.model.indicator import Indicator
from sharing.model.times import to_milliseconds
from sharing.model.urgency import is_substantiated, states_emergency
from sharing.serialization.avro_primitives import encode_string
from sharing.serialization.codec import Codec, get_codec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ID_END: Final = 37
"""Where the encoded id ends: a byte for the length, and 36 characters."""

_HEAD: Final = ("version", "action", "reason")
_SENDER: Final = ("state", "agency")
_FACTS: Final = (
    "form", "offence", "collection", "secrecy_domain", "personal_data", "special_category", "subject_class",
    "assertion", "grading", "origin", "handling", "handling_text", "tlp", "pap", "purpose", "urgency",
    "urgency_reason", "minor", "exculpatory", "us_person", "enables_request", "live_case_harm", "character",
    "findings", "nexus",
)  # fmt: skip
_ID_LENGTH: Final = b"\x48"
_SIX_BYTES: Final = range(1 << 35, 1 << 42)
_ONE_BYTE_MAX: Final = 0x7F
_FIRST_VERSION: Final = b"\x02\x00\x00"  # 1, PUBLISH, and no reason
_NOTHING: Final = b"\x00"
_SOMETHING: Final = b"\x02"


class EncodedIndicator(NamedTuple):
    """A valid indicator, encoded.

    Attributes:
        id: Its id.
        version: Its version.
        state: The State that publishes it.
        agency: The agency that publishes it.
        data: The Avro record, without a header.
        summary_start: Where the summary begins in the record.
        shared_start: Where that part begins which items have in common: the fields from `source` to `nexus`.
        shared_end: Where that part ends, and `observed_at` begins.
        review_start: Where `review_at` begins.
        is_unanswered: Whether it states an emergency for which nobody answers.
    """

    id: str
    version: int
    state: str
    agency: str
    data: bytes
    summary_start: int
    shared_start: int
    shared_end: int
    review_start: int
    is_unanswered: bool

    def with_id(self, identity: str) -> EncodedIndicator:
        """Return the same indicator with another id, a UUID in lower case."""
        _, version, state, agency, data, summary, shared_start, shared_end, review, is_unanswered = self
        data = b"".join((_ID_LENGTH, identity.encode(), data[ID_END:]))
        return EncodedIndicator(
            identity, version, state, agency, data, summary, shared_start, shared_end, review, is_unanswered
        )


class EncodedFields(NamedTuple):
    """The fields of an indicator, encoded: in their order, they are its record.

    Attributes:
        head: Version, action and reason.
        named: Type and value.
        summary: The summary.
        sender: State and agency of the source.
        officer: Officer of the source.
        authority: Authority of the source.
        case: Case of the source.
        facts: All fields from `form` to `nexus`.
        observed_at: Time of observation.
        review_at: Time of review.
        retain_until: End of retention.
    """

    head: bytes
    named: bytes
    summary: bytes
    sender: bytes
    officer: bytes
    authority: bytes
    case: bytes
    facts: bytes
    observed_at: bytes
    review_at: bytes
    retain_until: bytes


def encode_indicator(indicator: Indicator) -> EncodedIndicator:
    """Return an indicator, encoded."""
    record = indicator.to_record()
    source = indicator.source
    return join_fields(
        indicator.id,
        indicator.version,
        source.state,
        source.agency,
        encode_fields(record),
        is_unanswered=states_emergency(record) and not is_substantiated(record),
    )


def decode_indicator(item: EncodedIndicator) -> Indicator:
    """Return an indicator that was encoded."""
    codec = get_codec("indicator")
    return Indicator.parse(codec.decode(codec.header + item.data))


def encode_fields(record: Mapping[str, Any]) -> EncodedFields:
    """Return the encoded fields of a record."""
    parts = _get_part_codecs()
    source = record["source"]
    return EncodedFields(
        head=parts["head"].encode_unframed({name: record[name] for name in _HEAD}),
        named=encode_string(record["type"]) + encode_string(record["value"]),
        summary=encode_text(record["summary"]),
        sender=parts["sender"].encode_unframed({name: source[name] for name in _SENDER}),
        officer=encode_text(source["officer"]),
        authority=parts["authority"].encode_unframed({"authority": source["authority"]}),
        case=encode_text(source["case"]),
        facts=parts["facts"].encode_unframed({name: record[name] for name in _FACTS}),
        observed_at=_encode_time(record["observed_at"]),
        review_at=_encode_time(record["review_at"]),
        retain_until=_encode_time(record["retain_until"]),
    )


def join_fields(
    identity: str, version: int, state: str, agency: str, fields: EncodedFields, *, is_unanswered: bool
) -> EncodedIndicator:
    """Return the encoded indicator with these fields.

    Args:
        identity: Its id, a UUID in lower case.
        version: Its version.
        state: State of the source.
        agency: Agency of the source.
        fields: All its fields but the id.
        is_unanswered: Whether it states an emergency for which nobody answers.
    """
    head, named, summary, sender, officer, authority, case, facts, observed_at, review_at, retain_until = fields
    data = b"".join((
        _ID_LENGTH, identity.encode(), head, named, summary, sender, officer, authority, case, facts, observed_at,
        review_at, retain_until,
    ))  # fmt: skip
    review_start = len(data) - len(review_at) - len(retain_until)
    summary_start = ID_END + len(head) + len(named)
    return EncodedIndicator(
        identity, version, state, agency, data, summary_start, summary_start + len(summary),
        review_start - len(observed_at), review_start, is_unanswered,
    )  # fmt: skip


def read_type_and_value(item: EncodedIndicator) -> tuple[str, str]:
    """Return type and value of an item."""
    data = item.data
    place = ID_END + len(_FIRST_VERSION)
    length = data[place]
    if data[ID_END:place] != _FIRST_VERSION or length > _ONE_BYTE_MAX:
        own = decode_own_fields(item)
        return own["type"], own["value"]
    end = place + 1 + (length >> 1)
    start = end
    while data[start] > _ONE_BYTE_MAX:  # the bytes of the length of the value, but the last
        start += 1
    return data[place + 1 : end].decode(), data[start + 1 : item.summary_start].decode()


def encode_text(text: str | None) -> bytes:
    """Return the encoding of an optional text."""
    return _NOTHING if text is None else _SOMETHING + encode_string(text)


def encode_instant(milliseconds: int) -> bytes:
    """Return the encoding of an optional time that is stated, in UTC milliseconds."""
    rest = milliseconds << 1
    if rest in _SIX_BYTES:  # the years 1987 to 2039
        return bytes((
            2, rest & 0x7F | 0x80, rest >> 7 & 0x7F | 0x80, rest >> 14 & 0x7F | 0x80, rest >> 21 & 0x7F | 0x80,
            rest >> 28 & 0x7F | 0x80, rest >> 35,
        ))  # fmt: skip
    rest = (milliseconds << 1) ^ (milliseconds >> 63)
    encoded = bytearray(_SOMETHING)
    while rest >> 7:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _encode_time(time: datetime | None) -> bytes:
    return _NOTHING if time is None else encode_instant(to_milliseconds(time))


def decode_shared_fields(item: EncodedIndicator) -> dict[str, Any]:
    """Return the fields from `source` to `nexus` of an item."""
    return _read_part("shared", item.data[item.shared_start : item.shared_end])


def decode_own_fields(item: EncodedIndicator) -> dict[str, Any]:
    """Return all other fields of an item."""
    data = item.data
    return _read_part("own", data[: item.shared_start] + data[item.shared_end :])


def _read_part(name: str, data: bytes) -> dict[str, Any]:
    record: Any = fastavro.schemaless_reader(io.BytesIO(data), _get_part_codecs()[name].schema, None)
    return dict(record)


@cache
def _get_part_codecs() -> dict[str, Codec]:
    """Return codecs of parts of an indicator."""
    fields = get_codec("indicator").schema["fields"]
    by_name = {field["name"]: field for field in fields}
    sources = {field["name"]: field for field in by_name["source"]["type"]["fields"]}
    names = list(by_name)
    start, end = names.index("source"), names.index("observed_at")
    parts = {
        "head": [by_name[name] for name in _HEAD],
        "sender": [sources[name] for name in _SENDER],
        "authority": [sources["authority"]],
        "facts": [by_name[name] for name in _FACTS],
        "shared": fields[start:end],
        "own": [*fields[:start], *fields[end:]],
    }
    if names != [
        "id",
        *_HEAD,
        "type",
        "value",
        "summary",
        "source",
        *_FACTS,
        "observed_at",
        "review_at",
        "retain_until",
    ]:
        raise TypeError("the schema of indicators has other fields than this module knows")
    return {name: _make_codec(name, part) for name, part in parts.items()}


def _make_codec(name: str, fields: list[Any]) -> Codec:
    schema = {"type": "record", "name": f"sharing.parts.indicator.{name.capitalize()}", "fields": fields}
    return Codec(f"indicator ({name})", fastavro.parse_schema(schema, {}), b"", {})
