"""Alternatives of an `any_of`: their paths in a `when`, and a `when` without one of them, or with only one."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.law.constraints import AnyOf, Conjunction, FactTest
from sharing.law.facts import FACTS, FactScope
from sharing.law.lint.analysis import PackAnalysis
from sharing.law.lint.findings import LintSeverity
from sharing.law.search.cubes import Cover, Cube, find_uncovered
from sharing.yaml_files.source import KeyPath

ALWAYS_FALSE = Conjunction((AnyOf(()),))
"""Replaces an alternative that is removed."""


def iter_alternative_paths(when: Conjunction) -> Iterator[KeyPath]:
    """Yield the path of each alternative. A `when` has at most one `any_of`; alternatives may have their own."""
    for part in when.parts:
        if isinstance(part, AnyOf):
            for index, alternative in enumerate(part.alternatives):
                yield ("any_of", index)
                yield from (("any_of", index, *path) for path in iter_alternative_paths(alternative))


def get_alternative(when: Conjunction, path: KeyPath) -> Conjunction:
    """Return the alternative at a path."""
    for index in path[1::2]:
        (part,) = (part for part in when.parts if isinstance(part, AnyOf))
        when = part.alternatives[int(index)]
    return when


def replace_alternative(
    when: Conjunction, path: KeyPath, replacement: Conjunction, *, disable_others: bool = False
) -> Conjunction:
    """Return a `when` in which one alternative is replaced, and on request all its siblings are disabled."""
    if not path:
        return replacement
    index = int(path[1])
    parts: list[FactTest | AnyOf] = []
    for part in when.parts:
        if isinstance(part, AnyOf):
            alternatives = [ALWAYS_FALSE] * len(part.alternatives) if disable_others else list(part.alternatives)
            alternatives[index] = replace_alternative(
                part.alternatives[index], path[2:], replacement, disable_others=disable_others
            )
            parts.append(AnyOf(tuple(alternatives)))
        else:
            parts.append(part)
    return Conjunction(tuple(parts))


def isolate_alternative(when: Conjunction, path: KeyPath) -> Conjunction:
    """Return a `when` in which only one alternative is left."""
    return replace_alternative(when, path, get_alternative(when, path), disable_others=True)


def find_lost(analysis: PackAnalysis, before: Cover, after: Cover) -> Cube | None:
    """Return combinations that are in the cover before a change but not after it, or None."""
    return find_uncovered(before, [*analysis.space.impossible, *after], analysis.space.all_points)


def rate_redundancy(alternative: Conjunction) -> LintSeverity:
    """Return how serious it is that an alternative adds nothing.

    A redundancy that depends on facts of the recipient may end with the next assessment.
    """
    names = alternative.list_fact_names()
    tests_recipient = any(FACTS[name].scope is not FactScope.INDICATOR for name in names)
    return LintSeverity.NOTICE if tests_recipient else LintSeverity.WARNING
