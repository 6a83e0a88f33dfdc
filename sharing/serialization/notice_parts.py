"""Decodes the parts of a notice that many notices have in common: its terms, why a State was chosen, and offences.

Each is a sequence of fields of the current schema. A caller may remember what it says by its bytes.
"""

from __future__ import annotations

import io
from functools import cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple, cast

import fastavro

from sharing.model.decision import PackReference
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.vocabulary import ConditionModel, NoticeKind
from sharing.serialization.codec import Codec, get_codec, get_split_codecs

DIGEST_BYTES: Final = 16


class NoticeTerms(NamedTuple):
    """What the fields of a notice after its content say, and their part of the digest."""

    amendment: int
    kind: NoticeKind
    from_state: str
    to_state: str
    urgency: str
    form: str
    pack: PackReference
    basis: str | None
    condition_model: ConditionModel | None
    rules: tuple[RuleReference, ...]
    conditions: tuple[Condition, ...]
    obligation: bool
    redacted: tuple[str, ...]
    digest: bytes


def read_terms(tail: bytes) -> NoticeTerms:
    """Return what the fields of a notice after its content say.

    Raises:
        ValueError: The bytes are not these fields of the current schema.
    """
    _, codec = get_split_codecs("notice", "amendment")
    fields = _decode_whole(tail, codec.schema)
    try:
        kind, conditions = NoticeKind(fields["kind"]), tuple(map(Condition.from_record, fields["conditions"]))
        model = fields["condition_model"]
        return NoticeTerms(
            fields["amendment"], kind, fields["from_state"], fields["to_state"], fields["urgency"], fields["form"],
            PackReference(**fields["pack"]), fields["basis"], ConditionModel(model) if model else None,
            tuple(map(RuleReference.from_record, fields["rules"])), conditions, fields["obligation"],
            tuple(fields["redacted"]), digest_terms(kind, conditions),
        )  # fmt: skip
    except TypeError:
        raise ValueError from None


def read_reasons(rest: bytes) -> tuple[tuple[str, str], ...]:
    """Return why the State was chosen: the kind and detail of each reason, which are the last field of a content.

    Raises:
        ValueError: The bytes are not this field of the current schema.
    """
    fields = _decode_whole(rest, _get_relevance_schema())
    return tuple((reason["kind"], reason["detail"]) for reason in fields["relevance"])


def read_middle(content: bytes, position: int) -> tuple[dict[str, Any], int]:
    """Return the fields of a content from the offences to the special category, and the position after them.

    Raises:
        ValueError: The bytes are not these fields of the current schema, each in its shortest form.
    """
    stream = io.BytesIO(content)
    stream.seek(position)
    middle = _decode(stream, _get_middle_schema())
    end = stream.tell()
    again = io.BytesIO()
    fastavro.schemaless_writer(again, _get_middle_schema(), middle)
    if again.getvalue() != content[position:end]:
        raise ValueError
    return middle, end


def digest_terms(kind: NoticeKind, conditions: tuple[Condition, ...]) -> bytes:
    """Return the part of a notice's digest that says what it is and to what it binds."""
    terms = [(each.code, str(each.kind), each.text, each.exculpatory_exception) for each in conditions]
    return blake2b(repr((str(kind), terms)).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _decode(stream: io.BytesIO, schema: Any) -> dict[str, Any]:
    try:
        fields = cast("dict[str, Any]", fastavro.schemaless_reader(stream, schema, None))
    except Exception:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
        raise ValueError from None
    return fields


def _decode_whole(data: bytes, schema: Any) -> dict[str, Any]:
    stream = io.BytesIO(data)
    fields = _decode(stream, schema)
    if stream.tell() != len(data):
        raise ValueError
    return fields


@cache
def _get_middle_schema() -> Any:
    return _parse_part("notice_content", "offence_codes", "observed_at")


@cache
def _get_relevance_schema() -> Any:
    return _parse_part("notice_content", "relevance", None)


def _parse_part(name: str, first: str, until: str | None) -> Any:
    """Return a schema of the fields from one to before another."""
    codec: Codec = get_codec(name)
    names = [field["name"] for field in codec.schema["fields"]]
    fields = codec.schema["fields"][names.index(first) : None if until is None else names.index(until)]
    return fastavro.parse_schema({"type": "record", "name": f"sharing.parts.{name}.{first}", "fields": fields}, {})
