"""Validates and encodes many indicators: what they have in common, once.

The lines of a file, and what one program publishes, have the same facts again and again: what differs is the id, the
value, a few texts and times. `Indicator` validates each distinct combination of the other facts once. For the next item
with these facts, only those fields are examined, by the same rules. Whenever one of them is anything but plainly valid,
the whole item is given to `Indicator`, so refusals and their messages are always its own.
"""

from __future__ import annotations

import marshal
import re
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sharing.errors import InputError
from sharing.model.bounded_cache import BoundedCache
from sharing.model.indicator import Indicator
from sharing.model.indicator_record import NIL_UUID, SHORT_TEXT_MAX, TEXT_MAX, UUID_PATTERN
from sharing.model.times import to_milliseconds
from sharing.model.urgency import is_substantiated, states_emergency
from sharing.model.values import normalise_value
from sharing.serialization.avro_primitives import encode_string
from sharing.serialization.encoded_indicator import (
    ID_END,
    EncodedIndicator,
    encode_fields,
    encode_indicator,
    encode_instant,
    encode_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES_MAX: Final = 4096
TEMPLATE_BYTES_MAX: Final = 8_000_000
VALUES_MAX: Final = 16_384
VALUE_BYTES_MAX: Final = 4_000_000
"""Limits of what is remembered, in entries and in bytes of their keys."""

ITEM_FIELDS: Final = ("id", "type", "value", "summary", "observed_at", "review_at", "retain_until")
SOURCE_FIELDS: Final = ("officer", "case")
"""Fields that differ from item to item, and those of them that belong to `source`."""

_REQUIRED: Final = frozenset({"id", "type", "value"})
_MARSHAL_VERSION: Final = 2  # later ones write a repeated object as a reference, so that equal facts have several forms

_is_canonical_uuid = re.compile(UUID_PATTERN).fullmatch
_is_plain_time = re.compile(
    # A part of what `Indicator` accepts: the years 1000 to 2999 cannot leave the calendar, whatever the time zone.
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch

_values: BoundedCache[tuple[str, str], bytes] = BoundedCache(
    VALUES_MAX, VALUE_BYTES_MAX, lambda key, encoded: len(key[1]) + len(encoded)
)


class IndicatorTemplate:
    """A valid indicator, in which the texts of some fields may be replaced.

    Args:
        indicator: The indicator.

    Attributes:
        state: State of the source.
        version: Version of the indicator.
        weight: About how many bytes it has.
    """

    __slots__ = (
        "_agency", "_authority", "_case", "_facts", "_head", "_is_unanswered",
        "_observed_at", "_officer", "_retain_until", "_review_at", "_sender", "_summary", "state",
        "version", "weight",
    )  # fmt: skip

    def __init__(self, indicator: Indicator) -> None:
        record = indicator.to_record()
        (
            self._head, _, self._summary, self._sender, self._officer, self._authority, self._case, self._facts,
            self._observed_at, self._review_at, self._retain_until,
        ) = encode_fields(record)  # fmt: skip
        self._agency = indicator.source.agency
        # An officer that is replaced is another text, never none: so this holds for all items of the template.
        self._is_unanswered = states_emergency(record) and not is_substantiated(record)
        self.state, self.version = indicator.source.state, indicator.version
        self.weight = len(self._facts) + len(self._sender)

    def fill(self, texts: Mapping[str, str]) -> EncodedIndicator | None:
        """Return the indicator with other texts; None if it is not plain that they are valid.

        Args:
            texts: Texts by name of their field: at least `id`, `type` and `value`, and no field that the indicator of
                this template does not have.
        """
        get = texts.get
        identity = texts["id"]
        try:
            if not _is_canonical_uuid(identity):
                identity = str(uuid.UUID(identity))
            if identity == NIL_UUID:
                return None
            named = _encode_value(texts["type"], texts["value"])
            summary = self._summary if (text := get("summary")) is None else _encode_limited(text, TEXT_MAX)
            officer = self._officer if (text := get("officer")) is None else _encode_limited(text, SHORT_TEXT_MAX)
            case = self._case if (text := get("case")) is None else _encode_limited(text, SHORT_TEXT_MAX)
            observed_at = self._observed_at if (text := get("observed_at")) is None else _encode_plain_time(text)
            review_at = self._review_at if (text := get("review_at")) is None else _encode_plain_time(text)
            retain_until = self._retain_until if (text := get("retain_until")) is None else _encode_plain_time(text)
        except (ValueError, InputError):
            return None
        head = self._head
        data = b"".join((
            b"\x48", identity.encode(), head, named, summary, self._sender, officer, self._authority, case,
            self._facts, observed_at, review_at, retain_until,
        ))  # fmt: skip
        review_start = len(data) - len(review_at) - len(retain_until)
        summary_start = ID_END + len(head) + len(named)
        return EncodedIndicator(
            identity, self.version, self.state, self._agency, data, summary_start, summary_start + len(summary),
            review_start - len(observed_at), review_start, self._is_unanswered,
        )  # fmt: skip


class IndicatorEncoder:
    """Validates and encodes indicators in their JSON form. Only one thread at a time may use an object."""

    def __init__(self) -> None:
        self._templates: BoundedCache[bytes, IndicatorTemplate] = BoundedCache(
            TEMPLATES_MAX, TEMPLATE_BYTES_MAX, lambda key, template: len(key) + template.weight
        )

    def encode(self, fields: Mapping[str, Any]) -> EncodedIndicator:
        """Return an indicator, encoded.

        Args:
            fields: The JSON form. A time may be an aware datetime.

        Raises:
            InputError: The fields are not a valid indicator. The message names fields and never repeats a value.
        """
        key, texts = split_fields(fields)
        template = None if key is None else self._templates.get(key)
        item = None if template is None else template.fill(texts)
        if item is not None:
            return item
        indicator = parse_indicator(fields)
        if key is not None and template is None:
            self._templates.put(key, IndicatorTemplate(indicator))
        return encode_indicator(indicator)

    def get_template(self, fields: Mapping[str, Any]) -> IndicatorTemplate | None:
        """Return the template of an indicator that was encoded before, if there is one."""
        key, _ = split_fields(fields)
        return None if key is None else self._templates.get(key)


def parse_indicator(fields: Mapping[str, Any]) -> Indicator:
    """Return the indicator that the fields describe.

    Raises:
        InputError: The fields are not a valid indicator. The message names fields and never repeats a value.
    """
    try:
        return Indicator.parse(dict(fields))
    except OverflowError:  # a time near year 1 or 9999 whose time zone moves it out of range
        raise InputError("a time is outside the years 1 to 9999; correct it") from None


def split_fields(fields: Mapping[str, Any]) -> tuple[bytes | None, dict[str, str]]:
    """Return what an indicator has in common with others, as bytes, and the texts that differ.

    Two indicators with the same bytes have the same other fields, and texts of the same fields. The bytes are None if
    that cannot be said.
    """
    texts: dict[str, str] = {}
    rest = dict(fields)
    for name in ITEM_FIELDS:
        if type(rest.get(name)) is str:
            texts[name] = rest.pop(name)
    if not texts.keys() >= _REQUIRED:
        return None, texts
    source = rest.get("source")
    if type(source) is dict:
        rest["source"] = source = dict(source)
        for name in SOURCE_FIELDS:
            if type(source.get(name)) is str:
                texts[name] = source.pop(name)
    try:
        return marshal.dumps((tuple(texts), rest), _MARSHAL_VERSION), texts
    except ValueError:  # an object that JSON does not have, or fields that are nested too deeply
        return None, texts


def _encode_value(type_name: str, text: str) -> bytes:
    """Return the encoding of type and value, in its normal form.

    Raises:
        InputError: The type is not known, or the value is not valid.
        ValueError: The value is empty.
    """
    encoded = _values.get((type_name, text))
    if encoded is None:
        if not text:
            raise ValueError
        encoded = encode_string(type_name) + encode_string(normalise_value(type_name, text))
        _values.put((type_name, text), encoded)
    return encoded


def _encode_limited(text: str, length_max: int) -> bytes:
    if not 0 < len(text) <= length_max:
        raise ValueError
    return encode_text(text)


def _encode_plain_time(text: str) -> bytes:
    if _is_plain_time(text) is None:
        raise ValueError
    return encode_instant(to_milliseconds(datetime.fromisoformat(text)))
