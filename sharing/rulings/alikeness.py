"""Whether an Ask is what a ruling says of all the Asks that it answers, and whether its grounds may be named for it.

The worker checks each Ask against the ruling and not against the others, some of which are on other partitions.
"""

from __future__ import annotations

from collections.abc import Collection

from sharing.conversation.asks import Ask
from sharing.rulings.ruling import Answering
from sharing.rulings.vocabulary import GROUND_INSTRUMENTS, RefusalGround, RulingFault


def find_unlike(act: Answering, ask: Ask, *, rule: str | None, conditions_hash: str | None) -> RulingFault | None:
    """Return why an answer does not fit an Ask; None if it does.

    Args:
        act: The answer.
        ask: The Ask.
        rule: Id of the rule that asks; None where no rule does.
        conditions_hash: Hash of the conditions of the item for the recipients; None if there is none to read.
    """
    if (ask.kind, ask.recipients, rule) != (act.about, frozenset(act.recipients), act.rule):
        return RulingFault.NOT_ALIKE
    is_compared = act.conditions_hash is not None or act.covers_until is not None
    if is_compared and act.conditions_hash != conditions_hash:
        return RulingFault.OTHER_CONDITIONS
    return None


def find_unavailable_ground(act: Answering, *, is_obliged: bool, in_force: Collection[str]) -> RulingFault | None:
    """Return why a ground of refusal may not be named; None if each of them may.

    Args:
        act: The answer.
        is_obliged: Whether a rule of the law in force obliges the State to provide the item (OBLIGE).
        in_force: Ids of the instruments that are in force.
    """
    if any(GROUND_INSTRUMENTS.get(ground, "") not in {"", *in_force} for ground in act.grounds):
        return RulingFault.NOT_IN_FORCE
    # Where other grounds are named too, the refusal rests on them.
    if is_obliged and act.grounds == (RefusalGround.DISCRETION,):
        return RulingFault.OBLIGED
    return None
