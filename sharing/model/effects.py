"""What each effect of a rule does: one exhaustive function for each property, and the set of effects that have it.

A new effect is a type error in every function here, so that none of them can ignore it.
"""

from __future__ import annotations

from typing import assert_never

from sharing.model.vocabulary import Effect


def forbids(effect: Effect) -> bool:
    """Return whether a rule that holds withholds the item, whatever else holds."""
    match effect:
        case Effect.DENY:
            return True
        case Effect.APPROVAL | Effect.REDACT | Effect.CONDITION | Effect.PERMIT | Effect.OBLIGE | Effect.RECORD:
            return False
        case _:
            assert_never(effect)


def requires_approval(effect: Effect) -> bool:
    """Return whether a rule that holds makes a permitted item wait for the approval of a person."""
    match effect:
        case Effect.APPROVAL:
            return True
        case Effect.DENY | Effect.REDACT | Effect.CONDITION | Effect.PERMIT | Effect.OBLIGE | Effect.RECORD:
            return False
        case _:
            assert_never(effect)


def restricts(effect: Effect) -> bool:
    """Return whether a rule limits what may be shared. One that a missing fact leaves undecided withholds or holds."""
    match effect:
        case Effect.DENY | Effect.APPROVAL | Effect.REDACT | Effect.CONDITION:
            return True
        case Effect.PERMIT | Effect.OBLIGE | Effect.RECORD:
            return False
        case _:
            assert_never(effect)


def permits(effect: Effect) -> bool:
    """Return whether a rule that holds permits sharing. Without such a rule the item is withheld."""
    match effect:
        case Effect.PERMIT:
            return True
        case Effect.DENY | Effect.APPROVAL | Effect.REDACT | Effect.CONDITION | Effect.OBLIGE | Effect.RECORD:
            return False
        case _:
            assert_never(effect)


def obliges(effect: Effect) -> bool:
    """Return whether a rule that holds obliges the State to send. It does not override a rule that withholds."""
    match effect:
        case Effect.OBLIGE:
            return True
        case Effect.DENY | Effect.APPROVAL | Effect.REDACT | Effect.CONDITION | Effect.PERMIT | Effect.RECORD:
            return False
        case _:
            assert_never(effect)


def is_named_in_refusal(effect: Effect) -> bool:
    """Return whether a refusal names the rules that hold; any other outcome names every rule that holds."""
    match effect:
        case Effect.DENY | Effect.OBLIGE | Effect.RECORD:
            return True
        case Effect.APPROVAL | Effect.REDACT | Effect.CONDITION | Effect.PERMIT:
            return False
        case _:
            assert_never(effect)


def explains_outcome(effect: Effect) -> bool:
    """Return whether the explanation of an outcome names the rules that hold."""
    match effect:
        case Effect.DENY | Effect.APPROVAL | Effect.REDACT | Effect.CONDITION | Effect.PERMIT | Effect.OBLIGE:
            return True
        case Effect.RECORD:
            return False
        case _:
            assert_never(effect)


FORBIDDING_EFFECTS = frozenset(filter(forbids, Effect))
APPROVAL_EFFECTS = frozenset(filter(requires_approval, Effect))
RESTRICTING_EFFECTS = frozenset(filter(restricts, Effect))
PERMITTING_EFFECTS = frozenset(filter(permits, Effect))
OBLIGING_EFFECTS = frozenset(filter(obliges, Effect))
EFFECTS_NAMED_IN_REFUSAL = frozenset(filter(is_named_in_refusal, Effect))
EXPLAINING_EFFECTS = frozenset(filter(explains_outcome, Effect))
