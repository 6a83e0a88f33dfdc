"""The closed vocabulary of facts that a law pack may ask about: names, kinds, values, and where each is read.

A new fact is one line here. Indicator facts are read from the record as the Avro schema `Indicator` describes
it (enums as strings); recipient facts come from `sharing.law.recipients`; facts of the moment from both.

A value in an evaluation is a `str`, a `float`, a `frozenset[str]`, or None: unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sharing.model.countries import STATES
from sharing.model.findings import FINDINGS
from sharing.model.record import WireRecord
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

FactValue = str | float | frozenset[str] | None

Facts = Mapping[str, FactValue]
"""Fact values by name; a missing value is None: unknown."""

NONE = "NONE"
"""A known absence, where absence is an answer: no TLP mark, no other State of origin, no common treaty."""


class FactKind(StrEnum):
    """How a fact is compared."""

    ONE = "one of a closed list"
    SEVERAL = "several of a closed list"
    NUMBER = "number"


class FactScope(StrEnum):
    """What a fact is about."""

    INDICATOR = "indicator"
    RECIPIENT = "recipient"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of the vocabulary.

    Attributes:
        name: As in a pack's `when`.
        kind: How it is compared.
        scope: What it is about.
        values: The closed list; empty for numbers, and for treaties, whose list is the treaty table.
        doc: What it says, for a lawyer.
        read: For indicator facts: the raw, hashable value in a record, at an instant in UTC milliseconds.
        direct: It is the record's field of that name, as it stands.
    """

    name: str
    kind: FactKind
    scope: FactScope
    values: frozenset[str]
    doc: str
    read: Callable[[WireRecord, int], Hashable] | None = None
    direct: bool = False

    @property
    def tristate(self) -> bool:
        """Whether it is a yes-or-no question, written true or false in a pack."""
        return self.values == TRISTATE

    def interpret(self, raw: Any) -> FactValue:
        """Return the value that is compared: None for unknown, a frozenset for several."""
        if raw is None or raw == UNKNOWN:
            return None
        if self.kind is FactKind.SEVERAL:
            return frozenset(raw)
        return raw  # type: ignore[no-any-return]  # a str or a number, by the schema


TRISTATE = frozenset({"YES", "NO"})


def _known(values: type[StrEnum]) -> frozenset[str]:
    return frozenset(str(value) for value in values) - {UNKNOWN}


def _indicator(
    name: str,
    values: frozenset[str],
    read: Callable[[WireRecord, int], Hashable],
    doc: str,
    kind: FactKind = FactKind.ONE,
) -> Fact:
    return Fact(name, kind, FactScope.INDICATOR, values, doc, read)


def _direct(name: str, values: frozenset[str], doc: str) -> Fact:
    return Fact(name, FactKind.ONE, FactScope.INDICATOR, values, doc, lambda record, _: record[name], direct=True)


def _recipient(name: str, values: frozenset[str], doc: str, kind: FactKind = FactKind.ONE) -> Fact:
    return Fact(f"recipient.{name}", kind, FactScope.RECIPIENT, values, doc)


_MAY_BE_FOREIGN = frozenset({"FOREIGN_STATE", UNKNOWN})
"""Where it was obtained so and no State of origin is named, it may be anyone's."""


def _origin_foreign(record: WireRecord, _: int) -> str:
    state = record["origin"]["state"]
    if state is not None:
        return "NO" if state == record["source"]["state"] else "YES"
    return UNKNOWN if record["collection"] in _MAY_BE_FOREIGN else "NO"


def _origin_state(record: WireRecord, _: int) -> str:
    state = record["origin"]["state"]
    if state is not None:
        return str(state)
    return UNKNOWN if record["collection"] in _MAY_BE_FOREIGN else NONE


def _retention_expired(record: WireRecord, now_ms: int) -> str:
    until = record["retain_until"]
    return "YES" if until is not None and until.timestamp() * 1000 <= now_ms else "NO"


def _character(record: WireRecord, _: int) -> Hashable:
    character = record["character"]
    return None if character is None else tuple(character)


def _finding(name: str) -> Callable[[WireRecord, int], Hashable]:
    return lambda record, _: record["findings"].get(name)


_FACTS = (
    _direct("action", _known(Action), "Publish, supersede or withdraw."),
    _direct("type", frozenset(VALUE_TYPES), "Type of the observable."),
    _indicator("source.authority", _known(Authority), lambda r, _: r["source"]["authority"], "Who holds it."),
    _direct("form", _known(Form), "Information, evidence or mere existence."),
    _indicator(
        "offence.codes",
        _known(OffenceCode),
        lambda r, _: tuple(r["offence"]["codes"]) or None,
        "Legal offence codes; none stated is unknown.",
        FactKind.SEVERAL,
    ),
    _indicator(
        "offence.max_penalty_years",
        frozenset(),
        lambda r, _: r["offence"]["max_penalty_years"],
        "Domestic maximum penalty in years.",
        FactKind.NUMBER,
    ),
    _direct("collection", _known(Collection), "How it was obtained."),
    _direct("secrecy_domain", TRISTATE, "Touches the secrecy domain."),
    _direct("personal_data", TRISTATE, "Is personal data."),
    _direct("special_category", TRISTATE, "Special category of personal data."),
    _direct("subject_class", _known(SubjectClass), "Class of data subject."),
    _direct("assertion", _known(Assertion), "Fact or assessment."),
    _indicator("grading.source", _known(SourceGrade), lambda r, _: r["grading"]["source"], "Europol source grade."),
    _indicator(
        "grading.information",
        frozenset(),
        lambda r, _: r["grading"]["information"],
        "Europol information grade, 1 to 4.",
        FactKind.NUMBER,
    ),
    _indicator("origin.state", STATES | {NONE}, _origin_state, "Another State whose information it is, or NONE."),
    _indicator("origin.foreign", TRISTATE, _origin_foreign, "It is another State's information."),
    _indicator("origin.consent", TRISTATE, lambda r, _: r["origin"]["consent"], "The State of origin consents."),
    _indicator("handling", _known(Handling), lambda r, _: tuple(r["handling"]), "Handling codes.", FactKind.SEVERAL),
    _indicator("tlp", _known(Tlp) | {NONE}, lambda r, _: r["tlp"] or NONE, "TLP 2.0 mark, or NONE."),
    _indicator("pap", _known(Pap) | {NONE}, lambda r, _: r["pap"] or NONE, "PAP mark, or NONE."),
    _direct("purpose", _known(Purpose), "Purpose of the sharing."),
    _direct("urgency", _known(Urgency), "EMERGENCY is a risk to life or safety."),
    _indicator(
        "enables_request",
        TRISTATE,
        lambda r, _: r["enables_request"],
        "It lets the recipient ask for assistance.",
    ),
    _direct("live_case_harm", TRISTATE, "Sharing would harm a live case."),
    _indicator(
        "character",
        _known(Character),
        _character,
        "Political, military, religious, racial; null is unknown.",
        FactKind.SEVERAL,
    ),
    _indicator("retention_expired", TRISTATE, _retention_expired, "Its `retain_until` has passed."),
    *(_indicator(f"findings.{name}", TRISTATE, _finding(name), doc) for name, doc in FINDINGS.items()),
    _recipient("state", STATES, "The State considered."),
    _recipient("named", TRISTATE, "The agency named this State as concerned."),
    _recipient("authority", _known(Authority), "Kind of the authority that receives, from the directory."),
    _recipient("treaties", frozenset(), "Instruments in force between the two States.", FactKind.SEVERAL),
    _recipient("eu", TRISTATE, "Member of the European Union."),
    _recipient("schengen", TRISTATE, "Takes part in the Schengen acquis."),
    _recipient("adequacy", TRISTATE, "Adequate data protection, as this State assesses it."),
    _recipient("safeguards", TRISTATE, "Appropriate safeguards exist, as this State assesses it."),
    _recipient("dual_criminality", TRISTATE, "Every stated offence is criminal there too."),
    _recipient("reciprocity", TRISTATE, "It would do the same."),
    _recipient("equal_secrecy", TRISTATE, "It keeps the information as secret as the providing State does."),
    _recipient("sole_purpose", TRISTATE, "It uses the information for the stated purpose only."),
    _recipient("death_penalty_risk", TRISTATE, "The death penalty may be imposed or carried out."),
    _recipient("mistreatment_risk", TRISTATE, "Torture or other mistreatment is a real risk."),
    _recipient("persecution_risk", TRISTATE, "Persecution on a protected ground is a real risk."),
    Fact(
        "treaty_basis",
        FactKind.ONE,
        FactScope.MOMENT,
        frozenset(),
        "The instrument chosen for this recipient, or NONE.",
    ),
    Fact(
        "condition_model",
        FactKind.ONE,
        FactScope.MOMENT,
        _known(ConditionModel),
        "Whether conditions are accepted before content, or attached to it.",
    ),
)

FACTS: Mapping[str, Fact] = MappingProxyType({fact.name: fact for fact in _FACTS})

ASSESSED = frozenset(
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
"""Recipient facts that a pack assesses itself, besides `dual_criminality`, which it assesses by offence code."""
