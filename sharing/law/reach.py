"""Which States could receive an item, on which terms: every State decided on at once, relevance apart.

States that get the same for the same reason stand together, from the most open outcome to the least, and among
these from the fewest fields taken out and the fewest conditions: what the law lets out with the least redacted or
conditioned comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sharing.law.combine import RESTRICTIONS
from sharing.law.filter import DisclosureFilter
from sharing.model.audience import Audience
from sharing.model.decision import RecipientDecision, describe_undecided
from sharing.model.directory import Directory
from sharing.model.record import WireRecord
from sharing.model.vocabulary import Effect, Outcome


@dataclass(frozen=True, slots=True)
class RecipientGroup:
    """States that get the same.

    Attributes:
        ground: For those withheld, why; else "".
        redacted: Fields that are taken out.
        conditions: Each as (rule, text).
        approver: The role that must approve, or "".
    """

    outcome: str
    basis: str
    condition_model: str
    ground: str
    redacted: tuple[str, ...]
    conditions: tuple[tuple[str, str], ...]
    approver: str
    states: tuple[str, ...]


def every_state(law: DisclosureFilter, directory: Directory) -> tuple[str, ...]:
    """Return the States of the directory and of the treaty table, but the providing one."""
    known = set(directory.entries)
    for instrument in law.treaties.instruments.values():
        known |= instrument.parties.keys()
    return tuple(sorted(known - {law.pack.state}))


def find_reach(
    law: DisclosureFilter, record: WireRecord, audience: Audience, states: Iterable[str], now_ms: int
) -> list[RecipientGroup]:
    """Decide on an item for some States, and put together those that get the same.

    Args:
        law: The disclosure filter of the day.
        record: The indicator's record.
        audience: The States that are considered: a State that the agency named stays named.
        states: The States to decide for.
        now_ms: The instant, in UTC milliseconds.
    """
    considered = dict(audience.states)
    everyone = Audience((state, considered.get(state, ())) for state in states)
    effects = {rule.id: rule.effect for rule in law.rules}
    found: dict[tuple[object, ...], list[str]] = {}
    models: dict[tuple[object, ...], RecipientGroup] = {}
    for one in law.decide(record, everyone, now_ms).recipients:
        group = _group(one, effects)
        key = (
            group.outcome, group.basis if not group.ground else "", group.ground, group.redacted, group.conditions,
            group.approver, group.condition_model if not group.ground else "",
        )  # fmt: skip
        models.setdefault(key, group)
        found.setdefault(key, []).append(one.state)
    groups = [_with_states(models[key], tuple(members), key) for key, members in found.items()]
    order = list(map(str, Outcome))
    return sorted(
        groups,
        key=lambda group: (
            order.index(group.outcome), len(group.redacted), len(group.conditions), -len(group.states), group.states,
        ),
    )  # fmt: skip


def _group(one: RecipientDecision, effects: dict[str, Effect]) -> RecipientGroup:
    return RecipientGroup(
        outcome=str(one.outcome),
        basis=one.basis or "",
        condition_model=str(one.condition_model or ""),
        ground=_ground(one, effects) if one.outcome is Outcome.WITHHOLD else "",
        redacted=one.redacted,
        conditions=tuple((condition.code, condition.text) for condition in one.conditions),
        approver=one.approver or "",
        states=(),
    )


def _with_states(group: RecipientGroup, states: tuple[str, ...], key: tuple[object, ...]) -> RecipientGroup:
    return RecipientGroup(
        group.outcome, str(key[1]), str(key[6]), group.ground, group.redacted, group.conditions, group.approver, states
    )


def _ground(one: RecipientDecision, effects: dict[str, Effect]) -> str:
    """Return why nothing leaves: what forbids it, else what is missing, else that nothing permits it."""
    denying = [rule.id for rule in one.rules if rule.effect is Effect.DENY]
    if denying:
        return f"forbidden by {', '.join(denying)}"
    blocking = describe_undecided(entry for entry in one.undecided if effects.get(entry.rule) in RESTRICTIONS)
    if blocking:
        return f"not known whether a restriction applies; {blocking}"
    if one.condition_model is None:
        return "treaties not looked up"
    opening = describe_undecided(entry for entry in one.undecided if effects.get(entry.rule) is Effect.PERMIT)
    return f"not known whether it is permitted; {opening}" if opening else "nothing permits it"
