"""What an item says, as a page shows it: the same fields for own items and for received ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sharing.law.redaction import build_content
from sharing.model.indicator_record import WireRecord
from sharing.model.notice import Notice
from sharing.model.times import to_milliseconds


@dataclass(frozen=True, slots=True)
class ItemContent:
    """What an item says. Its `repr` shows nothing of it.

    Attributes:
        form: Information, evidence, or the mere existence of either.
        fields: The fields of `NoticeContent`; one that is not stated, or was redacted, is None or empty.
        relevance: Why the receiving State was chosen: kind and detail. Of a received item only.
        urgency_reason: Why it is an emergency. Of an own item only.
        withdrawal_reason: Why it was withdrawn. Of an own item only.
        findings: The agency's answers to questions that only some laws ask. Of an own item only.
        redacted: Fields that the providing State's law redacted. Of a received item only.
        review_at: When it should be looked at again, in UTC milliseconds; None if that is not said.
        retain_until: Until when it may be kept, in UTC milliseconds; None without a limit.
    """

    form: str
    fields: Mapping[str, Any] = field(repr=False)
    relevance: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    urgency_reason: str | None = field(default=None, repr=False)
    withdrawal_reason: str | None = field(default=None, repr=False)
    findings: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    redacted: tuple[str, ...] = ()
    review_at: int | None = None
    retain_until: int | None = None

    @classmethod
    def from_indicator(cls, record: WireRecord) -> ItemContent:
        """Return what an item of the State's own says.

        Args:
            record: The indicator, as the Avro schema `Indicator` describes it.
        """
        fields = build_content(record, ())
        fields["observed_at"] = _to_instant(fields["observed_at"])
        return cls(
            form=record["form"],
            fields=fields,
            urgency_reason=record["urgency_reason"],
            withdrawal_reason=record["reason"],
            findings=tuple(sorted(record["findings"].items())),
            review_at=_to_instant(record["review_at"]),
            retain_until=_to_instant(record["retain_until"]),
        )

    @classmethod
    def from_notice(cls, notice: Notice) -> ItemContent:
        """Return what an item of another State says."""
        return cls(
            form=notice.form,
            fields=notice.content,
            relevance=notice.relevance,
            redacted=notice.redacted,
            review_at=notice.review_at,
            retain_until=notice.retain_until,
        )


def _to_instant(value: Any) -> int | None:
    return None if value is None else to_milliseconds(value)
