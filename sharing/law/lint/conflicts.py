"""Rules that cannot all be obeyed: forbidden duties, two approvers of whom one is asked, conditions that clash."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from sharing.law.lint.examination import Cover, PackExamination
from sharing.law.lint.fact_space import EVIDENCE
from sharing.law.lint.findings import LintCode, LintFinding, LintLocation, LintSeverity, listed
from sharing.law.lint.regions import Cube, Region, meet_all
from sharing.model.vocabulary import ConditionKind, Effect


def find_conflicts(pack: PackExamination, place: LintLocation) -> Iterator[LintFinding]:
    """Yield conflicts in which a rule of the pack's own takes part."""
    withheld = pack.withheld()
    permitted = [cube for number in pack.with_effect(Effect.PERMIT) for cube in pack.holds[number]]
    for number in pack.with_effect(Effect.OBLIGE):
        if number in pack.own and pack.holds[number]:
            yield from _duty(pack, place, number, permitted, withheld)
    yield from _approvers(pack, place, permitted, withheld)
    yield from _evidence(pack, place, permitted, withheld)
    yield from _retention(pack, place, permitted, withheld)


def _duty(
    pack: PackExamination, place: LintLocation, number: int, permitted: Region, withheld: list[Cover]
) -> Iterator[LintFinding]:
    """Yield that a duty can never be fulfilled, or else what forbids it at times."""
    rule = pack.pack.rules[number]
    duty = pack.holds[number]
    if pack.outside(meet_all(duty, permitted), withheld) is None:
        severity, why, others = _why_never(pack, duty, permitted, withheld)
        sentence = f"the duty can never be fulfilled: {why}"
        shown = pack.show(duty[0], number, *others)
        yield place.find(severity, LintCode.UNFULFILLABLE, (number, rule.id), sentence, shown)
        return
    forbidding = [(deny, both) for deny in pack.with_effect(Effect.DENY) if (both := meet_all(duty, pack.holds[deny]))]
    for group in (
        [one for one in forbidding if one[0] in pack.own],
        [one for one in forbidding if one[0] not in pack.own],
    ):
        if group:
            names = [pack.pack.rules[deny].id for deny, _ in group]
            deny, both = group[0]
            sentence = f"the duty can be forbidden, and then yields, by {listed(names)}"
            shown = pack.show(both[0], number, deny)
            yield place.find(LintSeverity.NOTICE, LintCode.DUTY_FORBIDDEN, (number, rule.id), sentence, shown)


def _why_never(
    pack: PackExamination, duty: Region, permitted: Region, withheld: list[Cover]
) -> tuple[LintSeverity, str, tuple[int, ...]]:
    """Return why nothing leaves where a duty holds: how bad it is, in words, and the rules that are the cause."""
    could = meet_all(duty, permitted)
    if not could:
        return LintSeverity.ERROR, "no rule permits anything where it holds", ()
    region, where = (duty, "it holds") if pack.outside(duty, withheld) is None else (could, "it is permitted, too")
    prohibited = pack.prohibited()
    certain = pack.outside(region, prohibited) is None
    others = pack.blamed(region, prohibited if certain else withheld)
    names = listed([pack.pack.rules[owner].id for owner in others]) or "the want of a treaty basis"
    if certain:
        return LintSeverity.ERROR, f"wherever {where}, it is forbidden by {names}", others
    why = f"of no State to which it applies is known what is asked by {names}"
    return LintSeverity.WARNING, why, others


def _leaving(pack: PackExamination, one: int, other: int, permitted: Region, withheld: list[Cover]) -> Cube | None:
    """Return where two rules hold and something leaves or waits for approval."""
    both = meet_all(pack.holds[one], pack.holds[other])
    return pack.outside(meet_all(both, permitted), withheld) if both else None


def _approvers(
    pack: PackExamination, place: LintLocation, permitted: Region, withheld: list[Cover]
) -> Iterator[LintFinding]:
    """Yield rules whose approver is not asked at times, because another's comes first."""
    rules = pack.pack.rules
    numbers = sorted(pack.with_effect(Effect.APPROVAL), key=lambda number: rules[number].rank)
    told: dict[tuple[str | None, str | None], list[tuple[int, int, Cube]]] = {}
    for first, second in combinations(numbers, 2):
        one, other = rules[first], rules[second]
        if one.approver != other.approver and (first in pack.own or second in pack.own):
            cube = _leaving(pack, first, second, permitted, withheld)
            if cube is not None:
                told.setdefault((one.approver, other.approver), []).append((first, second, cube))
    for (asked, unasked), found in told.items():
        first, second, cube = found[0]
        others = [f"{rules[a].id} with {rules[b].id}" for a, b, _ in found[1:]]
        more = f" (so, too, {listed(others)})" if others else ""
        own = second if second in pack.own else first
        sentence = (
            f"{rules[first].id} and {rules[second].id} can hold together; the decision then names {asked} "
            f"as approver, and {unasked} is not asked{more}"
        )
        shown = pack.show(cube, first, second)
        yield place.find(LintSeverity.WARNING, LintCode.TWO_APPROVERS, (own, rules[own].id), sentence, shown)


def _evidence(
    pack: PackExamination, place: LintLocation, permitted: Region, withheld: list[Cover]
) -> Iterator[LintFinding]:
    """Yield conditions that forbid the use of evidence on what leaves as evidence."""
    block, evidence, _ = pack.space.masks[EVIDENCE]
    as_evidence = meet_all(permitted, [{block: evidence}])
    for number in pack.own:
        rule = pack.pack.rules[number]
        if rule.condition is not None and rule.condition.kind is ConditionKind.NO_EVIDENCE:
            cube = pack.outside(meet_all(pack.holds[number], as_evidence), withheld)
            if cube is not None:
                yield place.find(
                    LintSeverity.NOTICE,
                    LintCode.CONDITIONS_CLASH,
                    (number, rule.id),
                    "what leaves in the form of EVIDENCE can be bound not to be used as evidence",
                    pack.space.show(cube, {*rule.when.names(), "form"}),
                )


def _retention(
    pack: PackExamination, place: LintLocation, permitted: Region, withheld: list[Cover]
) -> Iterator[LintFinding]:
    """Yield two conditions that each say how long something is kept, in different words."""
    rules = pack.pack.rules
    numbers = [
        number
        for number in pack.with_effect(Effect.CONDITION)
        if (condition := rules[number].condition) is not None and condition.kind is ConditionKind.RETENTION
    ]
    for first, second in combinations(numbers, 2):
        one, other = rules[first].condition, rules[second].condition
        if one is None or other is None or one.text == other.text or second not in pack.own:
            continue
        cube = _leaving(pack, first, second, permitted, withheld)
        if cube is not None:
            yield place.find(
                LintSeverity.NOTICE,
                LintCode.CONDITIONS_CLASH,
                (second, rules[second].id),
                f"it and {rules[first].id} can bind together, and each says in words of its own how long it is kept",
                pack.show(cube, first, second),
            )
