"""Decodes notices as a subscriber receives them: many a second, most of which end with the same bytes.

An Avro record is the concatenation of its fields, and the schemas begin with those that differ from item to item. What
follows them (law, rules, conditions; offences, how it was obtained, handling) is the same in most notices of a State.
So the first fields are read one by one, and each distinct rest is decoded once and remembered by its bytes. No complete
encoding of a field is the beginning of another one, so a rest that begins with known bytes has what they say.

What is not as it is expected (another version of the schema, a number in another form, surplus bytes) is decoded by the
codec, which says what is wrong. The result is the same in both ways.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple, cast, final

import fastavro

from sharing.errors import DecodeError
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import Condition, PackReference, RuleReference
from sharing.model.notice import Notice
from sharing.model.times import INSTANT_MAX_MS, INSTANT_MIN_MS
from sharing.model.vocabulary import ConditionModel, NoticeKind
from sharing.serialization.avro_primitives import encode_long, encode_string
from sharing.serialization.codec import HEADER_LENGTH, OUTPUT_RECORD_BYTES_MAX, Codec, get_codec, get_split_codecs

DIGEST_BYTES: Final = 16

_CACHED_MAX: Final = 4_096
"""How many distinct rests of each kind are remembered."""

_CACHED_BYTES_MAX: Final = 8_000_000
_LENGTHS_MAX: Final = 16
"""How many lengths of the middle of a content are tried."""

_LISTS: Final = ("offence_codes", "offence_modifiers", "modus_operandi", "handling")
_LONG_BYTES_MAX: Final = 9


class ReadNotice(NamedTuple):
    """A notice, and the digest of what it says and to what it binds.

    Attributes:
        notice: The notice.
        digest: A gate that decides on the same item again writes another time, and perhaps another version of the law
            pack or another reason. That does not change the digest; another content or condition does.
    """

    notice: Notice
    digest: bytes


class _Terms(NamedTuple):
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


class _UnexpectedError(Exception):
    """The bytes are not as the fast path expects them."""


@final
class NoticeDecoder:
    """Decodes the notices to one State, and remembers what many of them have in common. One thread uses it.

    Args:
        state: The State to which they must be addressed.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._header = get_codec("notice").header
        self._content_header = get_codec("notice_content").header
        self._terms: BoundedCache[bytes, _Terms] = BoundedCache(_CACHED_MAX, _CACHED_BYTES_MAX, _weigh)
        self._reasons: BoundedCache[bytes, tuple[tuple[str, str], ...]] = BoundedCache(
            _CACHED_MAX, _CACHED_BYTES_MAX, _weigh
        )
        self._middles: BoundedCache[bytes, dict[str, Any]] = BoundedCache(_CACHED_MAX, _CACHED_BYTES_MAX, _weigh)
        self._middle_lengths: list[int] = []

    def read(self, data: bytes | None, trace: str | None = None) -> ReadNotice:
        """Return the notice in a record, with its digest.

        Args:
            data: The record in Avro single-object encoding.
            trace: W3C `traceparent` of the notice, or None.

        Raises:
            DecodeError: The record is not a notice, or is addressed to another State.
        """
        if data is not None and data.startswith(self._header) and len(data) <= OUTPUT_RECORD_BYTES_MAX:
            try:
                return self._read_expected(data, trace)
            except (_UnexpectedError, IndexError, UnicodeDecodeError):
                pass
        return _read_any(data, self._state, trace)

    def _read_expected(self, data: bytes, trace: str | None) -> ReadNotice:
        """Return a notice of the current schema in its usual form.

        Raises:
            _UnexpectedError: It is not; also if the bytes end too early (IndexError) or a text is not UTF-8.
        """
        notice_id, indicator_at = _read_text(data, HEADER_LENGTH)
        indicator_id, item_at = _read_text(data, indicator_at)
        item_id, version_at = _read_text(data, item_at)
        version, position = _read_long(data, version_at)
        version_end = position
        sent_at, position = _read_instant(data, position)
        review_at, position = _read_optional_instant(data, position)
        retain_until, position = _read_optional_instant(data, position)
        length, position = _read_long(data, position)
        end = position + length
        content = data[position:end]
        if length < 0 or end > len(data) or not content.startswith(self._content_header):
            raise _UnexpectedError
        tail = data[end:]
        terms = self._terms.get(tail) or self._terms.put(tail, _read_terms(tail))
        if terms.to_state != self._state:
            raise _UnexpectedError
        fields, relevance, said = self._read_content(content)
        notice = Notice(
            notice_id, terms.kind, indicator_id, item_id, version, terms.amendment, terms.from_state, terms.to_state,
            sent_at, review_at, retain_until, terms.urgency, terms.form, terms.pack, terms.basis,
            terms.condition_model, terms.rules, terms.conditions, terms.obligation, terms.redacted, relevance, fields,
            trace,
        )  # fmt: skip
        told = b"".join((terms.digest, data[indicator_at:item_at], data[version_at:version_end], said))
        return ReadNotice(notice, blake2b(told, digest_size=DIGEST_BYTES).digest())

    def _read_content(self, content: bytes) -> tuple[dict[str, Any], tuple[tuple[str, str], ...], bytes]:
        """Return the fields, why the State was chosen, and the bytes of the fields."""
        kind, position = _read_optional_text(content, HEADER_LENGTH)
        value, position = _read_optional_text(content, position)
        summary, position = _read_optional_text(content, position)
        agency, position = _read_optional_text(content, position)
        authority, position = _read_optional_text(content, position)
        case, position = _read_optional_text(content, position)
        middle, position = self._read_middle(content, position)
        observed_at, position = _read_optional_instant(content, position)
        rest = content[position:]
        relevance = self._reasons.get(rest)
        if relevance is None:
            relevance = self._reasons.put(rest, _read_reasons(rest))
        fields = {
            "type": kind,
            "value": value,
            "summary": summary,
            "source_agency": agency,
            "source_authority": authority,
            "source_case": case,
            **middle,
            "observed_at": observed_at,
        }
        for name in _LISTS:  # a program may change its own
            fields[name] = fields[name].copy()
        return fields, relevance, content[HEADER_LENGTH:position]

    def _read_middle(self, content: bytes, position: int) -> tuple[dict[str, Any], int]:
        """Return the fields from the offences to the special category, and where they end."""
        for length in self._middle_lengths:
            middle = self._middles.get(content[position : position + length])
            if middle is not None:
                return middle, position + length
        stream = io.BytesIO(content)
        stream.seek(position)
        middle = _decode(stream, _get_middle_schema())
        end = stream.tell()
        length = end - position
        if _encode(middle, _get_middle_schema()) != content[position:end]:
            raise _UnexpectedError
        if length not in self._middle_lengths:
            if len(self._middle_lengths) >= _LENGTHS_MAX:
                self._middle_lengths.clear()
                self._middles.clear()
            self._middle_lengths.append(length)
        return self._middles.put(content[position:end], middle), end


def decode_notice(data: bytes | None, state: str) -> Notice:
    """Return the notice in a record.

    Args:
        data: The record's bytes.
        state: The State to which it must be addressed.

    Raises:
        DecodeError: The record is not a notice, or is addressed to another State.
    """
    return _read_any(data, state, None).notice


def _read_any(data: bytes | None, state: str, trace: str | None) -> ReadNotice:
    """Do what `NoticeDecoder.read` does, without remembering anything."""
    envelope = get_codec("notice").decode(data)
    if envelope["to_state"] != state:
        raise DecodeError(f"the notice is addressed to {envelope['to_state']}, not to {state}", cause="WRONG_STATE")
    content = get_codec("notice_content").decode(envelope["content"])
    try:
        notice = Notice.from_records(envelope, content, trace)
        said = get_codec("notice_content").encode_unframed({**content, "relevance": []})[:-1]
        told = b"".join((
            _digest_terms(notice.kind, notice.conditions), encode_string(notice.indicator_id),
            encode_long(notice.version), said,
        ))  # fmt: skip
    except (ValueError, TypeError) as error:
        raise DecodeError(f"not a notice of this version ({type(error).__name__})", cause="UNREADABLE") from None
    return ReadNotice(notice, blake2b(told, digest_size=DIGEST_BYTES).digest())


def _read_terms(tail: bytes) -> _Terms:
    _, codec = get_split_codecs("notice", "amendment")
    fields = _decode_whole(tail, codec.schema)
    try:
        kind, conditions = NoticeKind(fields["kind"]), tuple(map(Condition.from_record, fields["conditions"]))
        model = fields["condition_model"]
        return _Terms(
            fields["amendment"], kind, fields["from_state"], fields["to_state"], fields["urgency"], fields["form"],
            PackReference(**fields["pack"]), fields["basis"], ConditionModel(model) if model else None,
            tuple(map(RuleReference.from_record, fields["rules"])), conditions, fields["obligation"],
            tuple(fields["redacted"]), _digest_terms(kind, conditions),
        )  # fmt: skip
    except (ValueError, TypeError):
        raise _UnexpectedError from None


def _read_reasons(rest: bytes) -> tuple[tuple[str, str], ...]:
    fields = _decode_whole(rest, _get_relevance_schema())
    return tuple((reason["kind"], reason["detail"]) for reason in fields["relevance"])


def _digest_terms(kind: NoticeKind, conditions: tuple[Condition, ...]) -> bytes:
    terms = [(each.code, str(each.kind), each.text, each.exculpatory_exception) for each in conditions]
    return blake2b(repr((str(kind), terms)).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _read_long(data: bytes, position: int) -> tuple[int, int]:
    """Return an Avro number and where it ends."""
    byte = data[position]
    if byte < 128:  # noqa: PLR2004 the bit that says that more follows
        return (byte >> 1) ^ -(byte & 1), position + 1
    number, shift, start = byte & 127, 7, position
    while True:
        position += 1
        byte = data[position]
        number |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 the bit that says that more follows
            break
        shift += 7
        if position - start >= _LONG_BYTES_MAX:
            raise _UnexpectedError
    if byte == 0:  # longer than needed: the same notice would have another digest
        raise _UnexpectedError
    return (number >> 1) ^ -(number & 1), position + 1


def _read_text(data: bytes, position: int) -> tuple[str, int]:
    length, start = _read_long(data, position)
    end = start + length
    if length < 0 or end > len(data):
        raise _UnexpectedError
    return data[start:end].decode(), end


def _read_optional_text(data: bytes, position: int) -> tuple[str | None, int]:
    byte = data[position]
    if byte == 0:
        return None, position + 1
    if byte != 2:  # noqa: PLR2004 the second branch of the union
        raise _UnexpectedError
    return _read_text(data, position + 1)


def _read_instant(data: bytes, position: int) -> tuple[int, int]:
    instant, position = _read_long(data, position)
    if not INSTANT_MIN_MS <= instant <= INSTANT_MAX_MS:
        raise _UnexpectedError
    return instant, position


def _read_optional_instant(data: bytes, position: int) -> tuple[int | None, int]:
    byte = data[position]
    if byte == 0:
        return None, position + 1
    if byte != 2:  # noqa: PLR2004 the second branch of the union
        raise _UnexpectedError
    return _read_instant(data, position + 1)


def _decode(stream: io.BytesIO, schema: Any) -> dict[str, Any]:
    try:
        fields = cast("dict[str, Any]", fastavro.schemaless_reader(stream, schema, None))
    except Exception:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
        raise _UnexpectedError from None
    return fields


def _encode(fields: dict[str, Any], schema: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, fields)
    return out.getvalue()


def _decode_whole(data: bytes, schema: Any) -> dict[str, Any]:
    stream = io.BytesIO(data)
    fields = _decode(stream, schema)
    if stream.tell() != len(data):
        raise _UnexpectedError
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


def _weigh(key: bytes, _value: tuple[Any, ...] | Mapping[str, Any]) -> int:
    return len(key)
