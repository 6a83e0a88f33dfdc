"""An offer as the receiving State sees it: conditions to accept before the content of an item is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sharing.model.decision import PackReference
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.times import format_time, to_milliseconds
from sharing.model.vocabulary import ConditionModel


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer of an item, without its content. Times are in UTC milliseconds.

    Attributes:
        id: Id of the offer, which is the id of the Ask that it puts.
        item_id: The same for all versions of an item, as in notices.
        amendment: Number of the amendment of the version; 0 for what the agency published.
        expires_at: No answer by then is a refusal, never an acceptance.
        category: Group of the indicator's type, such as FINANCE; never the value.
        rules: Rules of the providing State by which it offers, with their citations.
        conditions: Conditions to accept before the content is sent.
        relevance: Why the receiving State was chosen: kinds only.
    """

    id: str
    indicator_id: str
    item_id: str
    version: int
    amendment: int
    from_state: str
    to_state: str
    sent_at: int
    expires_at: int
    urgency: str
    form: str
    category: str
    offence_codes: tuple[str, ...]
    pack: PackReference
    basis: str | None
    condition_model: ConditionModel | None
    rules: tuple[RuleReference, ...]
    conditions: tuple[Condition, ...]
    obligation: bool
    relevance: tuple[str, ...]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Offer:
        """Build an offer from a record of the schema `Offer`."""
        return cls(
            id=record["id"],
            indicator_id=record["indicator_id"],
            item_id=record["item_id"],
            version=record["version"],
            amendment=record["amendment"],
            from_state=record["from_state"],
            to_state=record["to_state"],
            sent_at=to_milliseconds(record["sent_at"]),
            expires_at=to_milliseconds(record["expires_at"]),
            urgency=record["urgency"],
            form=record["form"],
            category=record["category"],
            offence_codes=tuple(record["offence_codes"]),
            pack=PackReference(**record["pack"]),
            basis=record["basis"],
            condition_model=ConditionModel(record["condition_model"]) if record["condition_model"] else None,
            rules=tuple(map(RuleReference.from_record, record["rules"])),
            conditions=tuple(map(Condition.from_record, record["conditions"])),
            obligation=record["obligation"],
            relevance=tuple(record["relevance"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        return {
            "id": self.id,
            "item_id": self.item_id,
            "kind": "OFFER",
            "from": self.from_state,
            "to": self.to_state,
            "indicator": {
                "id": self.indicator_id,
                "version": self.version,
                "amendment": self.amendment,
                "form": self.form,
                "category": self.category,
                "offence_codes": list(self.offence_codes),
            },
            "rules": [rule.to_json() for rule in self.rules],
            "basis": self.basis,
            "relevance": list(self.relevance),
            "conditions": [condition.to_json() for condition in self.conditions],
            "urgency": self.urgency,
            "sent_at": format_time(self.sent_at),
            "expires_at": format_time(self.expires_at),
        }
