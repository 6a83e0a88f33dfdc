"""Other versions of the shipped laws: some are stricter, some more open, some only say something in other words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

from sharing.law.pack import Rule
from sharing.model.vocabulary import Effect, Nature
from sharing.packs.library import Law
from tests.stories.keys import load_law

Change = Callable[[Rule, str], Rule | None]
"""What becomes of a rule that is not a common one, given a role of the pack; None if it is repealed."""


def _repeal(effect: Effect) -> Change:
    return lambda rule, role: None if rule.effect is effect else rule


def _ask_officers(rule: Rule, role: str) -> Rule:
    return replace(rule, effect=Effect.APPROVAL, approver=role) if rule.effect is Effect.RECORD else rule


def _redact(rule: Rule, role: str) -> Rule:
    is_meant = rule.effect is Effect.RECORD
    return replace(rule, effect=Effect.REDACT, redact=("collection", "offence_codes")) if is_meant else rule


def _say_otherwise(rule: Rule, role: str) -> Rule:
    if rule.condition is None:
        return rule
    return replace(rule, condition=replace(rule.condition, text=f"{rule.condition.text} In other words."))


def _make_optional(rule: Rule, role: str) -> Rule:
    return rule if rule.condition is None else replace(rule, nature=Nature.POLICY)


VERSIONS: Mapping[str, Change] = {
    "shipped": lambda rule, role: rule,
    "permits nothing": _repeal(Effect.PERMIT),
    "denies less": _repeal(Effect.DENY),
    "asks officers": _ask_officers,
    "asks nobody": _repeal(Effect.APPROVAL),
    "redacts more": _redact,
    "has other conditions": _say_otherwise,
    "has fewer conditions": _repeal(Effect.CONDITION),
    "has optional conditions": _make_optional,
}


@cache
def make_law(state: str, version: str) -> Law:
    """Return a version of the law of a State, by its name in `VERSIONS`."""
    law, change, number = load_law(state), VERSIONS[version], list(VERSIONS).index(version)
    if number == 0:
        return law
    role = next(iter(law.pack.approvers))
    changed = [rule if rule.is_common else change(rule, role) for rule in law.pack.rules]
    pack = replace(
        law.pack,
        version=f"{law.pack.version}.{number}",
        sha256=f"{number:064x}",
        rules=tuple(rule for rule in changed if rule is not None),
    )
    return replace(law, pack=pack)
