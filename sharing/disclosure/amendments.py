"""Amendments: what officers supply, correct or withdraw after an item was published, applied to its record.

Only the agency raises the version of an item. Amendments are numbered within a version, and the gate decides on an
amended record as on any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, assert_never

from sharing.conversation.revision import Revision
from sharing.disclosure.missing_facts import SUPPLIABLE
from sharing.errors import InputError
from sharing.law.fact_groups import is_absolute
from sharing.law.fact_values import NONE
from sharing.law.facts import FACTS, Fact, FactKind, FactScope
from sharing.model.indicator_record import WireRecord, check_indicator_record
from sharing.model.urgency import is_substantiated
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import Action, AmendmentKind, Urgency

_NOT_CORRECTABLE: Final = frozenset({"action", "type", "origin.foreign", "retention_expired"})
CORRECTABLE: Final = frozenset(
    name
    for name, fact in FACTS.items()
    if fact.scope is FactScope.INDICATOR and name not in _NOT_CORRECTABLE and not is_absolute(name)
)
"""The facts that an officer can correct: those that a record states, except what the item is, and except facts about
death, mistreatment, persecution and character, which only the agency states."""

_FINDINGS: Final = "findings."
_MAY_BE_NONE: Final = frozenset({"origin.state", "tlp", "pap"})
"""Facts whose absence is stated by null in a record."""

_NEVER_EMPTY: Final = frozenset({"offence.codes"})
"""Sets that a record cannot state to be empty: an empty set means unknown."""

_WHOLE_NUMBERS: Final = frozenset({"grading.information"})


@dataclass(frozen=True, slots=True)
class StatedFact:
    """A fact as an officer states it.

    Attributes:
        name: Its name in the vocabulary of facts.
        values: Its value as text: one value, or all members of a set, perhaps none.
    """

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Amendment:
    """One amendment, as an officer ruled it, with the number that the conversation assigned.

    Attributes:
        indicator_id: Id of the item.
        agency: The agency that published it: agencies may share an id.
        revision: The version that it amends, and its own number, from 1.
        kind: What it does.
        officer: Id of the officer who ruled.
        ruling: Id of the ruling.
        facts: The facts; none for a withdrawal.
        reason: Why the item is withdrawn (this is content); None if it is not.
    """

    indicator_id: str
    agency: str
    revision: Revision
    kind: AmendmentKind
    officer: str
    ruling: str
    facts: tuple[StatedFact, ...] = ()
    reason: str | None = None


def apply_amendment(record: WireRecord, amendment: Amendment) -> dict[str, Any]:
    """Return the record of an item as amended. Only what the amendment states is changed.

    Args:
        record: The record of the previous revision, in the form that the Avro schema `Indicator` describes.
        amendment: The amendment.

    Raises:
        InputError: The amendment belongs to another item or version, states what it may not, or the result is not what
            an agency could publish. The message has the fact and the problem, never a value.
    """
    _check_target(record, amendment)
    match amendment.kind:
        case AmendmentKind.FACTS:
            _check_unknown(record, amendment)
            amended = _state_facts(record, amendment, SUPPLIABLE)
            _check_known(amended, amendment)
        case AmendmentKind.CORRECTION:
            amended = _state_facts(record, amendment, CORRECTABLE)
        case AmendmentKind.WITHDRAWAL:
            amended = _withdraw(record, amendment)
        case _:
            assert_never(amendment.kind)
    if any(fact.name == "urgency" for fact in amendment.facts):
        _check_urgency(amended)
    check_amended_record(amended)
    return amended


def check_amended_record(amended: WireRecord) -> None:
    """Check an amended record as the gate checks what an agency publishes.

    An agency raises the version when it withdraws an item. An officer's withdrawal is a later revision of the same
    version, which may be the first.

    Raises:
        InputError: A field is not valid. The message has the field and the problem, never the value.
    """
    is_withdrawn = amended["action"] == Action.WITHDRAW
    check_indicator_record({**amended, "version": max(amended["version"], 2)} if is_withdrawn else amended)


def _check_target(record: WireRecord, amendment: Amendment) -> None:
    target = (record["id"], record["source"]["agency"], record["version"])
    if target != (amendment.indicator_id, amendment.agency, amendment.revision.version):
        raise InputError("the amendment is about another item or version; it amends the newest version of its own item")
    if amendment.revision.amendment < 1:
        raise InputError("amendment: must be 1 or more; 0 is what the agency published", field="amendment")
    if record["action"] == Action.WITHDRAW:
        raise InputError("the item is withdrawn; only its agency can publish it again, with a higher version")


def _withdraw(record: WireRecord, amendment: Amendment) -> dict[str, Any]:
    if amendment.facts:
        raise InputError("a withdrawal states no facts; send a correction to change them", field="facts")
    return {**record, "action": Action.WITHDRAW.value, "reason": amendment.reason}


def _state_facts(record: WireRecord, amendment: Amendment, allowed: frozenset[str]) -> dict[str, Any]:
    if not amendment.facts:
        raise InputError("the amendment states no fact; name at least one", field="facts")
    if amendment.reason is not None:
        raise InputError("reason: only a withdrawal has a reason", field="reason")
    amended = dict(record)
    stated: set[str] = set()
    for fact in amendment.facts:
        name = fact.name
        if name not in allowed:
            raise InputError(f"{name}: is not a fact that an officer can state here{suggest_nearest(name, allowed)}")
        if name in stated:
            raise InputError(f"{name}: is stated twice", field=name)
        stated.add(name)
        _set_field(amended, name, _read_value(FACTS[name], fact.values))
    return amended


def _check_unknown(record: WireRecord, amendment: Amendment) -> None:
    """Check that none of the stated facts is known so far: only a correction changes a known fact."""
    for fact in amendment.facts:
        if fact.name in SUPPLIABLE and _is_known(record, fact.name):
            raise InputError(f"{fact.name}: is known already; a correction can change it", field=fact.name)


def _check_known(amended: WireRecord, amendment: Amendment) -> None:
    """Check that the stated facts are known afterwards: a record cannot express every value without other facts."""
    for fact in amendment.facts:
        if not _is_known(amended, fact.name):
            message = f"{fact.name}: stays unknown with this value; state also how the item was obtained (collection)"
            raise InputError(message, field=fact.name)


def _is_known(record: WireRecord, name: str) -> bool:
    fact = FACTS[name]
    return fact.read_raw is not None and fact.interpret_raw(fact.read_raw(record, 0)) is not None


def _read_value(fact: Fact, values: tuple[str, ...]) -> Any:
    """Return the value of a fact as a record has it."""
    name = fact.name
    if fact.kind is FactKind.SET:
        if not fact.values.issuperset(values):
            raise InputError(f"{name}: has a value that is not in its list", field=name)
        if len(set(values)) < len(values) or (not values and name in _NEVER_EMPTY):
            raise InputError(f"{name}: must have each value once, and at least one", field=name)
        return list(values)
    if len(values) != 1:
        raise InputError(f"{name}: must have one value", field=name)
    if fact.kind is FactKind.NUMBER:
        return _read_number(name, values[0])
    if values[0] not in fact.values:
        raise InputError(f"{name}: has a value that is not in its list", field=name)
    return None if values[0] == NONE and name in _MAY_BE_NONE else values[0]


def _read_number(name: str, text: str) -> float | int:
    try:
        return int(text) if name in _WHOLE_NUMBERS else float(text)
    except ValueError:
        raise InputError(f"{name}: must be a number", field=name) from None


def _set_field(record: dict[str, Any], name: str, value: Any) -> None:
    """Set the field of a fact, in copies of the records that contain it."""
    if name.startswith(_FINDINGS):
        record["findings"] = {**record["findings"], name.removeprefix(_FINDINGS): value}
        return
    outer, _, inner = name.partition(".")
    record[outer] = {**record[outer], inner: value} if inner else value


def _check_urgency(amended: WireRecord) -> None:
    """Check that a stated emergency counts as one: without an officer and a reason it would be decided as ORDINARY."""
    if amended["urgency"] == Urgency.EMERGENCY and not is_substantiated(amended):
        raise InputError(
            "urgency: an emergency needs an officer and a reason; the agency publishes a version that has them",
            field="urgency",
        )
