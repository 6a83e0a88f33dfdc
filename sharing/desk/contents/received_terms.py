"""What a notice or an offer says apart from its content: the law, the conditions, the times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sharing.model.decision import PackReference
from sharing.model.notice import Notice
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.times import to_milliseconds


@dataclass(frozen=True, slots=True)
class ReceivedTerms:
    """What binds, and by which law it was sent. Times are in UTC milliseconds.

    Attributes:
        message: Id of the notice or offer.
        kind: ITEM, CORRECTION or OFFER.
        version: Version of the item.
        amendment: Number of the amendment of the version.
        urgency: Its urgency.
        form: Information, evidence, or the mere existence of either.
        pack: The law pack that was applied.
        rules: Its rules, with their citations.
        conditions: Conditions that bind the receiving State.
        basis: The treaty.
        is_obligatory: Whether the providing State was obliged to send it.
        relevance: Why the receiving State was chosen: kinds only.
        redacted: Fields that the providing State's law redacted.
        sent_at: When it was sent.
        review_at: When it should be looked at again; None if that is not said.
        retain_until: Until when it may be kept; None without a limit.
        expires_at: Of an offer, until when it can be answered.
        category: Of an offer, the category of what is offered.
        offences: Of an offer, the offences.
    """

    message: str
    kind: str
    version: int
    amendment: int
    urgency: str
    form: str
    pack: PackReference
    rules: tuple[RuleReference, ...]
    conditions: tuple[Condition, ...]
    basis: str | None
    is_obligatory: bool
    relevance: tuple[str, ...]
    redacted: tuple[str, ...]
    sent_at: int
    review_at: int | None = None
    retain_until: int | None = None
    expires_at: int | None = None
    category: str | None = None
    offences: tuple[str, ...] = ()

    @classmethod
    def from_notice(cls, notice: Notice) -> ReceivedTerms:
        """Return what a notice says apart from its content."""
        return cls(
            message=notice.id,
            kind=notice.kind.value,
            version=notice.version,
            amendment=notice.amendment,
            urgency=notice.urgency,
            form=notice.form,
            pack=notice.pack,
            rules=notice.rules,
            conditions=notice.conditions,
            basis=notice.basis,
            is_obligatory=notice.obligation,
            relevance=tuple(kind for kind, _ in notice.relevance),
            redacted=notice.redacted,
            sent_at=notice.sent_at,
            review_at=notice.review_at,
            retain_until=notice.retain_until,
        )

    @classmethod
    def from_offer(cls, fields: Mapping[str, Any]) -> ReceivedTerms:
        """Return what an offer says.

        Args:
            fields: The offer, as the Avro schema `Offer` describes it.
        """
        return cls(
            message=fields["id"],
            kind="OFFER",
            version=fields["version"],
            amendment=fields["amendment"],
            urgency=fields["urgency"],
            form=fields["form"],
            pack=PackReference(**fields["pack"]),
            rules=tuple(map(RuleReference.from_record, fields["rules"])),
            conditions=tuple(map(Condition.from_record, fields["conditions"])),
            basis=fields["basis"],
            is_obligatory=fields["obligation"],
            relevance=tuple(fields["relevance"]),
            redacted=(),
            sent_at=to_milliseconds(fields["sent_at"]),
            expires_at=to_milliseconds(fields["expires_at"]),
            category=fields["category"],
            offences=tuple(fields["offence_codes"]),
        )
