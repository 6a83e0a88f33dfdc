"""The closed vocabulary of facts that a law pack may ask about: names, kinds, values, and the source of each.

A new fact is one line here. Indicator facts are read from the record as the Avro schema `Indicator` describes it (enums
as strings). Recipient facts and the facts of a decision come from `sharing.law.recipients`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import getitem
from types import MappingProxyType
from typing import Any

from sharing.law.fact_values import NONE, FactValue
from sharing.model.countries import STATES
from sharing.model.findings import FINDINGS
from sharing.model.indicator_record import WireRecord
from sharing.model.urgency import get_effective_urgency
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import (
    UNKNOWN,
    Action,
    Assertion,
    Authority,
    Character,
    Collection,
    ConditionModel,
    Form,
    Handling,
    OffenceCode,
    Pap,
    Purpose,
    SourceGrade,
    SubjectClass,
    Tlp,
    Urgency,
)

_EMERGENCY = Urgency.EMERGENCY.value


class FactKind(StrEnum):
    """How a fact is compared."""

    SINGLE = "one value of a closed list"
    SET = "set of values of a closed list"
    NUMBER = "number"


class FactScope(StrEnum):
    """What a fact is about."""

    INDICATOR = "indicator"
    RECIPIENT = "recipient"
    DECISION = "decision"


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of the vocabulary.

    Attributes:
        name: Name in a pack's `when`.
        kind: How it is compared.
        scope: What it is about.
        values: The closed list of values; empty for numbers, and for treaties, whose list is the treaty table.
        doc: What it means, for a lawyer.
        read_raw: For indicator facts: returns the raw, hashable value from a record, at a time in UTC milliseconds.
        is_plain: Whether the raw value is the record's field of that name, as with `form` and `source.authority`.
        absent: What a missing value means; None if it means unknown.
    """

    name: str
    kind: FactKind
    scope: FactScope
    values: frozenset[str]
    doc: str
    read_raw: Callable[[WireRecord, int], Hashable] | None = None
    is_plain: bool = False
    absent: str | None = None

    @property
    def is_tristate(self) -> bool:
        """Whether it is a yes-or-no fact, which a pack writes as true or false."""
        return self.values == TRISTATE

    def interpret_raw(self, raw: Any) -> FactValue:
        """Return the value to compare: None for unknown, a frozenset for a set."""
        if raw is None:
            return self.absent
        if raw == UNKNOWN:
            return None
        if self.kind is FactKind.SET:
            return frozenset(raw)
        return raw  # type: ignore[no-any-return]  # a str or a number, by the schema


TRISTATE = frozenset({"YES", "NO"})


def _list_known_values(values: type[StrEnum]) -> frozenset[str]:
    return frozenset(str(value) for value in values) - {UNKNOWN}


def _make_indicator_fact(
    name: str,
    values: frozenset[str],
    read_raw: Callable[[WireRecord, int], Hashable],
    doc: str,
    kind: FactKind = FactKind.SINGLE,
) -> Fact:
    return Fact(name, kind, FactScope.INDICATOR, values, doc, read_raw)


def _make_plain_fact(
    name: str, values: frozenset[str], doc: str, kind: FactKind = FactKind.SINGLE, absent: str | None = None
) -> Fact:
    path = name.split(".")
    return Fact(
        name,
        kind,
        FactScope.INDICATOR,
        values,
        doc,
        lambda record, _: reduce(getitem, path, record),
        is_plain=True,
        absent=absent,
    )


def _make_recipient_fact(name: str, values: frozenset[str], doc: str, kind: FactKind = FactKind.SINGLE) -> Fact:
    return Fact(f"recipient.{name}", kind, FactScope.RECIPIENT, values, doc)


_POSSIBLY_FOREIGN = frozenset({"FOREIGN_STATE", UNKNOWN})
"""Ways of collection with which an item may belong to another State if it names no State of origin."""


def _read_origin_foreign(record: WireRecord, _: int) -> str:
    state = record["origin"]["state"]
    if state is not None:
        return "NO" if state == record["source"]["state"] else "YES"
    return UNKNOWN if record["collection"] in _POSSIBLY_FOREIGN else "NO"


def _read_origin_state(record: WireRecord, _: int) -> str:
    state = record["origin"]["state"]
    if state is not None:
        return str(state)
    return UNKNOWN if record["collection"] in _POSSIBLY_FOREIGN else NONE


def _read_retention_expired(record: WireRecord, now_ms: int) -> str:
    until = record["retain_until"]
    return "YES" if until is not None and until.timestamp() * 1000 <= now_ms else "NO"


def _read_character(record: WireRecord, _: int) -> Hashable:
    character = record["character"]
    return None if character is None else tuple(character)


def _make_finding_reader(name: str) -> Callable[[WireRecord, int], Hashable]:
    return lambda record, _: record["findings"].get(name)


_FACTS = (
    _make_plain_fact("action", _list_known_values(Action), "Publish, supersede or withdraw."),
    _make_plain_fact("type", frozenset(VALUE_TYPES), "Type of the observable."),
    _make_plain_fact("source.authority", _list_known_values(Authority), "Kind of the authority that holds it."),
    _make_plain_fact("form", _list_known_values(Form), "Information, evidence, or the mere existence of either."),
    _make_indicator_fact(
        "offence.codes",
        _list_known_values(OffenceCode),
        lambda r, _: tuple(r["offence"]["codes"]) or None,
        "Legal offence codes; unknown if none is stated.",
        FactKind.SET,
    ),
    _make_plain_fact(
        "offence.max_penalty_years", frozenset(), "Maximum penalty in years under domestic law.", FactKind.NUMBER
    ),
    _make_plain_fact("offence.organised_group", TRISTATE, "An organised criminal group is involved (UNTOC art. 2(a))."),
    _make_plain_fact("collection", _list_known_values(Collection), "How it was obtained."),
    _make_plain_fact("secrecy_domain", TRISTATE, "It touches the secrecy domain."),
    _make_plain_fact("personal_data", TRISTATE, "It is personal data."),
    _make_plain_fact("special_category", TRISTATE, "It is a special category of personal data."),
    _make_plain_fact("subject_class", _list_known_values(SubjectClass), "Class of data subject."),
    _make_plain_fact("assertion", _list_known_values(Assertion), "Fact or assessment."),
    _make_plain_fact("grading.source", _list_known_values(SourceGrade), "Europol source grade."),
    _make_plain_fact("grading.information", frozenset(), "Europol information grade, 1 to 4.", FactKind.NUMBER),
    _make_indicator_fact(
        "origin.state", STATES | {NONE}, _read_origin_state, "Another State that the information belongs to, or NONE."
    ),
    _make_indicator_fact("origin.foreign", TRISTATE, _read_origin_foreign, "The information belongs to another State."),
    _make_plain_fact("origin.consent", TRISTATE, "The State of origin consents."),
    _make_plain_fact(
        "origin.consent_obtainable", TRISTATE, "The consent of the State of origin can be obtained in time."
    ),
    _make_indicator_fact(
        "handling", _list_known_values(Handling), lambda r, _: tuple(r["handling"]), "Handling codes.", FactKind.SET
    ),
    _make_plain_fact("tlp", _list_known_values(Tlp) | {NONE}, "TLP 2.0 mark, or NONE.", absent=NONE),
    _make_plain_fact("pap", _list_known_values(Pap) | {NONE}, "PAP mark, or NONE.", absent=NONE),
    _make_plain_fact("purpose", _list_known_values(Purpose), "Purpose of the sharing."),
    _make_indicator_fact(
        "urgency",
        _list_known_values(Urgency),
        lambda r, _: get_effective_urgency(r) if r["urgency"] == _EMERGENCY else r["urgency"],
        "How urgent it is; EMERGENCY means a risk to life or safety, and needs an officer and a reason.",
    ),
    _make_plain_fact("minor", TRISTATE, "A person under 18 is concerned."),
    _make_plain_fact("exculpatory", TRISTATE, "It may clear a suspect or an accused."),
    _make_plain_fact("us_person", TRISTATE, "It concerns a United States person."),
    _make_plain_fact("enables_request", TRISTATE, "It enables the recipient to request assistance."),
    _make_plain_fact("live_case_harm", TRISTATE, "Sharing would harm a live case."),
    _make_indicator_fact(
        "character",
        _list_known_values(Character),
        _read_character,
        "Political, military, religious or racial character; null is unknown.",
        FactKind.SET,
    ),
    _make_indicator_fact("retention_expired", TRISTATE, _read_retention_expired, "Its `retain_until` has passed."),
    *(
        _make_indicator_fact(
            f"findings.{name}", TRISTATE, _make_finding_reader(name), f"{finding.question} ({finding.law})."
        )
        for name, finding in FINDINGS.items()
    ),
    _make_recipient_fact("state", STATES, "The receiving State."),
    _make_recipient_fact("named", TRISTATE, "The agency named this State as concerned by the item."),
    _make_recipient_fact(
        "authority",
        _list_known_values(Authority) | {NONE},
        "Kind of the competent authority that was chosen from the directory; NONE if no authority is competent.",
    ),
    _make_recipient_fact(
        "treaties", frozenset(), "Instruments in force between the two States that cover the item.", FactKind.SET
    ),
    _make_recipient_fact("eu", TRISTATE, "Member of the European Union."),
    _make_recipient_fact("schengen", TRISTATE, "Takes part in the Schengen acquis."),
    _make_recipient_fact("adequacy", TRISTATE, "Adequate data protection, as the providing State assesses it."),
    _make_recipient_fact("safeguards", TRISTATE, "Appropriate safeguards exist, as the providing State assesses it."),
    _make_recipient_fact("dual_criminality", TRISTATE, "Every stated offence is also an offence under its law."),
    _make_recipient_fact("capital_offence", TRISTATE, "A stated offence is punishable by death under its law."),
    _make_recipient_fact("reciprocity", TRISTATE, "It would provide the same information in return."),
    _make_recipient_fact("equal_secrecy", TRISTATE, "It keeps the information as secret as the providing State does."),
    _make_recipient_fact("sole_purpose", TRISTATE, "It uses the information only for the stated purpose."),
    _make_recipient_fact("death_penalty_risk", TRISTATE, "The death penalty may be imposed or carried out."),
    _make_recipient_fact("mistreatment_risk", TRISTATE, "Torture or other mistreatment is a real risk."),
    _make_recipient_fact("persecution_risk", TRISTATE, "Persecution on a protected ground is a real risk."),
    Fact(
        "treaty_basis",
        FactKind.SINGLE,
        FactScope.DECISION,
        frozenset(),
        "The instrument chosen for this recipient, or NONE.",
    ),
    Fact(
        "condition_model",
        FactKind.SINGLE,
        FactScope.DECISION,
        _list_known_values(ConditionModel),
        "Whether conditions are accepted before the content is sent, or bind on receipt.",
    ),
)

FACTS: Mapping[str, Fact] = MappingProxyType({fact.name: fact for fact in _FACTS})

ASSESSED_FACTS = frozenset(
    {
        "adequacy",
        "safeguards",
        "reciprocity",
        "equal_secrecy",
        "sole_purpose",
        "death_penalty_risk",
        "mistreatment_risk",
        "persecution_risk",
    }
)
"""Recipient facts that a pack assesses itself. By offence code it also assesses `dual_criminality` and
`capital_offence`."""
