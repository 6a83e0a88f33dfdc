"""An amended item: what the conversation gives the gate to decide on, after an officer has amended the item.

It contains the whole record, as amended. The conversation keeps the previous revision and applies the amendment to it
(`sharing.disclosure.amendments`); the gate keeps no content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sharing.conversation.revision import Revision
from sharing.disclosure.amendments import apply_amendment
from sharing.law.redaction import build_content
from sharing.model.vocabulary import AmendmentKind
from sharing.serialization.codec import get_codec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sharing.disclosure.amendments import Amendment
    from sharing.model.indicator_record import WireRecord


@dataclass(frozen=True, slots=True)
class AmendedItem:
    """One record of the topic `amendments`. Its `repr` shows no content.

    Attributes:
        indicator_id: Id of the item.
        agency: The agency that published it: agencies may share an id.
        revision: The version that is amended, and the number of the amendment, from 1.
        kind: What the amendment does.
        is_corrected: Whether it changes what States have received.
        officer: Id of the officer who ruled.
        ruling: Id of the ruling.
        content: The amended item, in Avro single-object encoding.
    """

    indicator_id: str
    agency: str
    revision: Revision
    kind: AmendmentKind
    is_corrected: bool
    officer: str
    ruling: str
    content: bytes

    def __repr__(self) -> str:
        return f"AmendedItem({self.indicator_id}, {self.kind}, {self.revision})"

    @classmethod
    def make(cls, before: WireRecord, amendment: Amendment) -> AmendedItem:
        """Return an item as amended.

        Args:
            before: The record of the previous revision.
            amendment: The amendment.

        Raises:
            InputError: The amendment does not fit the item (`apply_amendment`).
        """
        amended = apply_amendment(before, amendment)
        return cls(
            indicator_id=amendment.indicator_id,
            agency=amendment.agency,
            revision=amendment.revision,
            kind=amendment.kind,
            is_corrected=build_content(before, ()) != build_content(amended, ()),
            officer=amendment.officer,
            ruling=amendment.ruling,
            content=get_codec("indicator").encode(amended),
        )

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema `Amendment` describes."""
        return {
            "indicator_id": self.indicator_id,
            "agency": self.agency,
            "version": self.revision.version,
            "amendment": self.revision.amendment,
            "kind": self.kind.value,
            "is_corrected": self.is_corrected,
            "officer": self.officer,
            "ruling": self.ruling,
            "content": self.content,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> AmendedItem:
        """Return the amended item of a decoded record."""
        return cls(
            indicator_id=record["indicator_id"],
            agency=record["agency"],
            revision=Revision(record["version"], record["amendment"]),
            kind=AmendmentKind(record["kind"]),
            is_corrected=record["is_corrected"],
            officer=record["officer"],
            ruling=record["ruling"],
            content=record["content"],
        )
