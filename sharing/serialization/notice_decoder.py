"""Decodes notices as a subscriber receives them: many a second, most of which end with the same bytes.

An Avro record is the concatenation of its fields, and the schemas begin with those that differ from item to item. What
follows them (law, rules, conditions; offences, how it was obtained, handling) is the same in most notices of a State.
So the first fields are read one by one, and each distinct rest is decoded once and remembered by its bytes. No complete
encoding of a field is the beginning of another one, so a rest that begins with known bytes has what they say.

What is not as it is expected (another version of the schema, a number in another form, surplus bytes) is decoded by the
codec, which says what is wrong. The result is the same in both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple, final

from sharing.errors import DecodeError
from sharing.model.bounded_cache import BoundedCache
from sharing.model.notice import Notice
from sharing.model.times import INSTANT_MAX_MS, INSTANT_MIN_MS
from sharing.serialization.avro_primitives import (
    SECOND_BRANCH,
    encode_long,
    encode_string,
    read_long,
    read_optional_string,
    read_string,
)
from sharing.serialization.codec import HEADER_LENGTH, OUTPUT_RECORD_BYTES_MAX, get_codec
from sharing.serialization.notice_parts import (
    DIGEST_BYTES,
    NoticeTerms,
    digest_terms,
    read_middle,
    read_reasons,
    read_terms,
)

_CACHED_MAX: Final = 4_096
"""How many distinct rests of each kind are remembered."""

_CACHED_BYTES_MAX: Final = 8_000_000
_LENGTHS_MAX: Final = 16
"""How many lengths of the middle of a content are tried."""

_LISTS: Final = ("offence_codes", "offence_modifiers", "modus_operandi", "handling")


class ReadNotice(NamedTuple):
    """A notice, and the digest of what it says and to what it binds.

    Attributes:
        notice: The notice.
        digest: A gate that decides on the same item again writes another time, and perhaps another version of the law
            pack or another reason. That does not change the digest; another content or condition does.
    """

    notice: Notice
    digest: bytes


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
        self._terms: BoundedCache[bytes, NoticeTerms] = BoundedCache(_CACHED_MAX, _CACHED_BYTES_MAX, _weigh)
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
            except (ValueError, IndexError):
                pass
        return _read_any(data, self._state, trace)

    def _read_expected(self, data: bytes, trace: str | None) -> ReadNotice:
        """Return a notice of the current schema in its usual form.

        Raises:
            IndexError: The bytes end too early.
            ValueError: It is not such a notice.
        """
        notice_id, indicator_at = read_string(data, HEADER_LENGTH)
        indicator_id, item_at = read_string(data, indicator_at)
        item_id, version_at = read_string(data, item_at)
        version, position = read_long(data, version_at)
        version_end = position
        sent_at, position = _read_instant(data, position)
        review_at, position = _read_optional_instant(data, position)
        retain_until, position = _read_optional_instant(data, position)
        length, position = read_long(data, position)
        end = position + length
        content = data[position:end]
        if length < 0 or end > len(data) or not content.startswith(self._content_header):
            raise ValueError
        tail = data[end:]
        terms = self._terms.get(tail) or self._terms.put(tail, read_terms(tail))
        if terms.to_state != self._state:
            raise ValueError
        fields, relevance, encoded_fields = self._read_content(content)
        notice = Notice(
            notice_id, terms.kind, indicator_id, item_id, version, terms.amendment, terms.from_state, terms.to_state,
            sent_at, review_at, retain_until, terms.urgency, terms.form, terms.pack, terms.basis,
            terms.condition_model, terms.rules, terms.conditions, terms.obligation, terms.redacted, relevance, fields,
            trace,
        )  # fmt: skip
        digested = b"".join((terms.digest, data[indicator_at:item_at], data[version_at:version_end], encoded_fields))
        return ReadNotice(notice, blake2b(digested, digest_size=DIGEST_BYTES).digest())

    def _read_content(self, content: bytes) -> tuple[dict[str, Any], tuple[tuple[str, str], ...], bytes]:
        """Return the fields, why the State was chosen, and the bytes of the fields."""
        kind, position = read_optional_string(content, HEADER_LENGTH)
        value, position = read_optional_string(content, position)
        summary, position = read_optional_string(content, position)
        agency, position = read_optional_string(content, position)
        authority, position = read_optional_string(content, position)
        case, position = read_optional_string(content, position)
        middle, position = self._read_middle(content, position)
        observed_at, position = _read_optional_instant(content, position)
        rest = content[position:]
        relevance = self._reasons.get(rest)
        if relevance is None:
            relevance = self._reasons.put(rest, read_reasons(rest))
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
        middle, end = read_middle(content, position)
        length = end - position
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
        encoded_fields = get_codec("notice_content").encode_unframed({**content, "relevance": []})[:-1]
        digested = b"".join((
            digest_terms(notice.kind, notice.conditions), encode_string(notice.indicator_id),
            encode_long(notice.version), encoded_fields,
        ))  # fmt: skip
    except (ValueError, TypeError) as error:
        raise DecodeError(f"not a notice of this version ({type(error).__name__})", cause="UNREADABLE") from None
    return ReadNotice(notice, blake2b(digested, digest_size=DIGEST_BYTES).digest())


def _read_instant(data: bytes, position: int) -> tuple[int, int]:
    instant, position = read_long(data, position)
    if not INSTANT_MIN_MS <= instant <= INSTANT_MAX_MS:
        raise ValueError
    return instant, position


def _read_optional_instant(data: bytes, position: int) -> tuple[int | None, int]:
    byte = data[position]
    if byte == 0:
        return None, position + 1
    if byte != SECOND_BRANCH:
        raise ValueError
    return _read_instant(data, position + 1)


def _weigh(key: bytes, _value: tuple[Any, ...] | Mapping[str, Any]) -> int:
    return len(key)
