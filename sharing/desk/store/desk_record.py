"""A record that the desk keeps for an officer, and its key on the topic."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from sharing.errors import DecodeError, InputError
from sharing.model.strict_model import StrictModel
from sharing.model.times import from_milliseconds, to_milliseconds
from sharing.model.vocabulary import DeskKind
from sharing.sentences import say
from sharing.serialization.codec import RECORD_BYTES_MAX, get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing

SCHEMA: Final = "desk_record"
VERSION_MAX: Final = 2**31 - 1
_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DeskRecord:
    """What the desk keeps. Its `repr` does not show the content.

    Attributes:
        kind: What it is.
        id: Its id among those of its kind. It is part of the record key, so it says nothing about the content.
        version: 1 for a new record, and one more for each change.
        officer: Id of the officer whose record it is.
        written_at: When it was written, in UTC milliseconds.
        content: The content, as JSON has it.
        is_newest: Whether it is certainly the newest version; if not, a damaged batch may have a newer one.
    """

    kind: DeskKind
    id: str
    version: int
    officer: str
    written_at: int
    content: Mapping[str, Any] = field(repr=False)
    is_newest: bool = field(default=True, compare=False)

    @property
    def key(self) -> str:
        """Its key on the topic."""
        return make_key(self.kind, self.id)

    def encode(self, framing: Framing = SINGLE_OBJECT_FRAMING) -> bytes:
        """Return the record with its header, not sealed.

        Raises:
            InputError: It is too long.
        """
        fields = {
            "kind": self.kind,
            "id": self.id,
            "version": self.version,
            "officer": self.officer,
            "written_at": from_milliseconds(self.written_at),
            "content": json.dumps(self.content, ensure_ascii=False, allow_nan=False, separators=(",", ":")),
        }
        value = framing.frame(SCHEMA, get_codec(SCHEMA).encode_unframed(fields))
        if len(value) > RECORD_BYTES_MAX:
            raise InputError(
                say(
                    "what was entered has %(count)s bytes, more than the %(most)s that the desk keeps; shorten "
                    "its texts",
                    count=format(len(value), ","),
                    most=format(RECORD_BYTES_MAX, ","),
                )
            )
        return value


@dataclass(frozen=True, slots=True)
class UnopenedRecord:
    """A record that cannot be opened.

    Attributes:
        key: Its key on the topic; "" of a batch of records.
        offset: Where it is; None if that is not known.
        reason: Why, in words.
    """

    key: str
    offset: int | None
    reason: str

    def may_be(self, kind: DeskKind) -> bool:
        """Return whether it may be, or contain, a record of a kind."""
        return not self.key or self.key.startswith(f"{kind}:")


class RecordConflictError(InputError):
    """Another desk or officer has changed the record since it was read. Nothing was written.

    Attributes:
        current: The record as it is now; None if it was deleted.
    """

    def __init__(self, message: str, current: DeskRecord | None) -> None:
        super().__init__(message)
        self.current = current


class HiddenVersionError(InputError):
    """A damaged batch of the desk's topic may have a newer version of the record. Nothing was written."""

    def __init__(self, topic: str, uncertain_before: int) -> None:
        super().__init__(
            say(
                "records of the desk cannot be read, and a newer version of this may be among them, so nothing was "
                "changed. Ask the operator to restore what is damaged before offset %(offset)s of %(topic)s or, if it "
                "is lost, to start the desk with SHARING_DESK_LOST_BEFORE=%(offset)s",
                offset=uncertain_before,
                topic=topic,
            )
        )


def make_key(kind: DeskKind, id: str) -> str:  # noqa: A002 as in the record
    """Return the key of a record on the topic.

    Raises:
        InputError: The id has other characters than letters, digits, '.', '_', '~' and '-', or more than 128.
    """
    if not _ID.fullmatch(id):
        raise InputError("the id of a record of the desk has 1 to 128 letters, digits, '.', '_', '~' and '-'")
    return f"{kind}:{id}"


def decode_record(value: bytes, key: str) -> DeskRecord:
    """Return the record in an opened value in single-object encoding.

    Raises:
        DecodeError: It is no record of the desk, or has another key.
    """
    fields = get_codec(SCHEMA).decode(value)
    try:
        content = json.loads(fields["content"])
    except (ValueError, RecursionError):
        content = None
    kind = DeskKind(fields["kind"])
    if not isinstance(content, dict) or not 1 <= fields["version"] <= VERSION_MAX or key != f"{kind}:{fields['id']}":
        raise DecodeError("is not a record of the desk with this key", cause="MALFORMED")
    return DeskRecord(
        kind, fields["id"], fields["version"], fields["officer"], to_milliseconds(fields["written_at"]), content
    )


Content = TypeVar("Content", bound=StrictModel)


def read_content(record: DeskRecord, model: type[Content]) -> Content | None:
    """Return the content of a record as a model; None if it does not fit, such as that of a later release."""
    try:
        return model.model_validate_json(json.dumps(record.content))
    except ValidationError:
        return None


def list_unknown(records: Iterable[DeskRecord], model: type[StrictModel]) -> list[UnopenedRecord]:
    """Return the records whose content does not fit a model: a list of the others must not be silent about them."""
    reason = "its content is not of this release of the desk"
    return [UnopenedRecord(record.key, None, reason) for record in records if read_content(record, model) is None]
