"""A notice as the receiving State sees it: the envelope, with routing and conditions, and the decoded content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sharing.model.decision import PackReference
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.times import format_time, to_milliseconds
from sharing.model.vocabulary import ConditionModel, NoticeKind


@dataclass(frozen=True, slots=True)
class Notice:
    """Spontaneous information from one State to another. Times are in UTC milliseconds. Its `repr` shows no content.

    Attributes:
        id: Notice id; the same version of the same item to the same State always has the same id.
        item_id: The same for all versions of an item. Items of two agencies that share an indicator id differ in it.
        amendment: Number of the amendment of the version; 0 for what the agency published. A later one corrects.
        rules: Rules of the providing State that permitted disclosure, with their citations.
        conditions: Conditions that bind the receiving State.
        relevance: Why the receiving State was chosen: kind and detail.
        redacted: Fields that the providing State's law redacted.
        content: Fields of `NoticeContent`; a field that was not disclosed is None or empty.
        trace: W3C `traceparent` of the notice, to continue the trace; None if it has none.
    """

    id: str
    kind: NoticeKind
    indicator_id: str
    item_id: str
    version: int
    amendment: int
    from_state: str
    to_state: str
    sent_at: int
    review_at: int | None
    retain_until: int | None
    urgency: str
    form: str
    pack: PackReference
    basis: str | None
    condition_model: ConditionModel | None
    rules: tuple[RuleReference, ...]
    conditions: tuple[Condition, ...]
    obligation: bool
    redacted: tuple[str, ...]
    relevance: tuple[tuple[str, str], ...]
    content: Mapping[str, Any]
    trace: str | None = None

    def __repr__(self) -> str:
        return f"Notice({self.id}, {self.from_state} to {self.to_state}, {self.kind}, version {self.version})"

    @classmethod
    def from_records(cls, envelope: Mapping[str, Any], content: Mapping[str, Any], trace: str | None = None) -> Notice:
        """Build a notice from records of the schemas `Notice` and `NoticeContent`."""
        return cls(
            id=envelope["id"],
            kind=NoticeKind(envelope["kind"]),
            indicator_id=envelope["indicator_id"],
            item_id=envelope["item_id"],
            version=envelope["version"],
            amendment=envelope["amendment"],
            from_state=envelope["from_state"],
            to_state=envelope["to_state"],
            sent_at=to_milliseconds(envelope["sent_at"]),
            review_at=_to_optional_milliseconds(envelope["review_at"]),
            retain_until=_to_optional_milliseconds(envelope["retain_until"]),
            urgency=envelope["urgency"],
            form=envelope["form"],
            pack=PackReference(**envelope["pack"]),
            basis=envelope["basis"],
            condition_model=ConditionModel(envelope["condition_model"]) if envelope["condition_model"] else None,
            rules=tuple(map(RuleReference.from_record, envelope["rules"])),
            conditions=tuple(map(Condition.from_record, envelope["conditions"])),
            obligation=envelope["obligation"],
            redacted=tuple(envelope["redacted"]),
            relevance=tuple((reason["kind"], reason["detail"]) for reason in content["relevance"]),
            content={
                name: _to_optional_milliseconds(value) if name == "observed_at" else value
                for name, value in content.items()
                if name != "relevance"
            },
            trace=trace,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        content = dict(self.content)
        if content["observed_at"] is not None:
            content["observed_at"] = format_time(content["observed_at"])
        return {
            "id": self.id,
            "item_id": self.item_id,
            "kind": str(self.kind),
            "corrects": self.item_id if self.kind is NoticeKind.CORRECTION else None,
            "from": self.from_state,
            "to": self.to_state,
            "indicator": {
                "id": self.indicator_id,
                "version": self.version,
                "amendment": self.amendment,
                "form": self.form,
                **content,
            },
            "rules": [rule.to_json() for rule in self.rules],
            "basis": self.basis,
            "relevance": [{"kind": kind, "detail": detail} for kind, detail in self.relevance],
            "conditions": [condition.to_json() for condition in self.conditions],
            "redacted": list(self.redacted),
            "urgency": self.urgency,
            "sent_at": format_time(self.sent_at),
        }


def _to_optional_milliseconds(value: Any) -> int | None:
    return None if value is None else to_milliseconds(value)
