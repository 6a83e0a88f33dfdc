"""Rules and alternatives that can never apply, and facts that nobody can ever answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sharing.law.combine import RESTRICTIONS
from sharing.law.constraints import AnyOf, Conjunction, Operator, Test
from sharing.law.facts import FACTS, FactScope
from sharing.law.lint.examination import PackExamination
from sharing.law.lint.fact_space import FREE_OF_THE_RECIPIENT, WORLD
from sharing.law.lint.findings import LintCode, LintFinding, LintLocation, LintSeverity, listed
from sharing.law.lint.worlds import DUAL, OFFENCES
from sharing.law.pack import Rule
from sharing.yaml_source import KeyPath


def find_unreachable(pack: PackExamination, place: LintLocation) -> Iterator[LintFinding]:
    """Yield the pack's own rules, and alternatives in them, that no combination of facts can make hold."""
    for number in pack.own:
        rule = pack.pack.rules[number]
        if pack.holds[number]:
            yield from _dead_alternatives(pack, place, number)
            continue
        core = _core(pack, rule)
        together = listed([_in_words(part) for part in core]) or "its days"
        never = f"it can never hold: no combination of facts allows for {together}"
        undecided = pack.undecided[number]
        if undecided and rule.effect in RESTRICTIONS and not _contradicts(core):
            yield place.find(
                LintSeverity.NOTICE,
                LintCode.ONLY_UNDECIDED,
                (number, rule.id),
                f"{never}; it matters only where it is undecided, and so withholds",
                pack.show(undecided[0], number),
            )
        else:
            yield place.find(LintSeverity.ERROR, LintCode.UNREACHABLE, (number, rule.id), never, within=("when",))


def _parts(when: Conjunction) -> Iterator[Test | AnyOf]:
    """Yield what must hold; alternatives of which one is left are no alternatives."""
    for part in when.parts:
        alternatives = [one for one in part.alternatives if one != _NEVER] if isinstance(part, AnyOf) else []
        if len(alternatives) == 1:
            yield from _parts(alternatives[0])
        else:
            yield part


def _contradicts(core: list[Test | AnyOf]) -> bool:
    """Return whether a rule asks two values of one fact: a slip, whatever comes of it where it is unknown."""
    tests = [test for part in core for test in part.tests()]
    return len(tests) > 1 and len({test.fact for test in tests}) == 1


def _in_words(part: Test | AnyOf) -> str:
    if isinstance(part, Test) and part.negated and part.operand == FACTS[part.fact].values:
        return f"{part.fact} that is none of its values"
    return str(part)


def _core(pack: PackExamination, rule: Rule) -> list[Test | AnyOf]:
    """Return parts of a rule that cannot hold together, and none that could be left out."""
    parts = list(_parts(rule.when))
    for part in list(parts):
        rest = [other for other in parts if other is not part]
        if not pack.where(replace(rule, when=Conjunction(tuple(rest)))):
            parts = rest
    return parts


def _dead_alternatives(pack: PackExamination, place: LintLocation, number: int) -> Iterator[LintFinding]:
    rule, when = pack.pack.rules[number], pack.pack.rules[number].when
    for path in _paths(when):
        alternative = _at(when, path)
        left = replace(rule, when=_put(when, path, _NEVER))
        if pack.outside(pack.holds[number], _unowned(pack, left)) is not None:
            continue
        alone = replace(rule, when=_only(when, path))
        reached = bool(pack.where(alone))
        undecided = pack.outside(pack.possible[number], _unowned(pack, left, possible=True))
        fate = "holds only where another alternative does" if reached else "can never hold in this rule"
        sentence = f"the alternative ({alternative}) {fate}"
        within: KeyPath = ("when", *path)
        slip = not reached and _contradicts(_core(pack, alone))
        if undecided is not None and rule.effect in RESTRICTIONS and not slip:
            sentence += "; it matters only where it is undecided, and so withholds"
            shown = pack.show(undecided, number)
            yield place.find(LintSeverity.NOTICE, LintCode.ONLY_UNDECIDED, (number, rule.id), sentence, shown, within)
        elif reached:
            # Of two that say the same one is told. What is assessed today may be assessed otherwise tomorrow.
            when = left.when
            of_recipients = any(FACTS[name].scope is not FactScope.INDICATOR for name in alternative.names())
            severity = LintSeverity.NOTICE if of_recipients else LintSeverity.WARNING
            yield place.find(severity, LintCode.REDUNDANT_ALTERNATIVE, (number, rule.id), sentence, within=within)
        else:
            yield place.find(
                LintSeverity.ERROR, LintCode.UNREACHABLE_ALTERNATIVE, (number, rule.id), sentence, within=within
            )


def _unowned(pack: PackExamination, rule: Rule, *, possible: bool = False) -> list[tuple[int, Mapping[int, int]]]:
    return [(0, cube) for cube in pack.where(rule, possible=possible)]


_NEVER = Conjunction((AnyOf(()),))
"""What holds never, in place of an alternative that is left out."""


def _paths(when: Conjunction) -> Iterator[KeyPath]:
    """Yield the path of each alternative: a `when` has one `any_of` at most, and alternatives may have theirs."""
    for part in when.parts:
        if isinstance(part, AnyOf):
            for index, alternative in enumerate(part.alternatives):
                yield ("any_of", index)
                yield from (("any_of", index, *path) for path in _paths(alternative))


def _at(when: Conjunction, path: KeyPath) -> Conjunction:
    for index in path[1::2]:
        (part,) = (part for part in when.parts if isinstance(part, AnyOf))
        when = part.alternatives[int(index)]
    return when


def _put(when: Conjunction, path: KeyPath, other: Conjunction, *, alone: bool = False) -> Conjunction:
    """Return a `when` with another alternative in place of one; with `alone`, those beside it never hold."""
    if not path:
        return other
    parts: list[Test | AnyOf] = []
    for part in when.parts:
        if isinstance(part, AnyOf):
            kept = [_NEVER] * len(part.alternatives) if alone else list(part.alternatives)
            kept[int(path[1])] = _put(part.alternatives[int(path[1])], path[2:], other, alone=alone)
            parts.append(AnyOf(tuple(kept)))
        else:
            parts.append(part)
    return Conjunction(tuple(parts))


def _only(when: Conjunction, path: KeyPath) -> Conjunction:
    return _put(when, path, _at(when, path), alone=True)


def find_unanswered(pack: PackExamination, place: LintLocation, day: dt.date) -> Iterator[LintFinding]:
    """Yield facts that rules ask, common ones too, and that this pack can never answer for any State.

    Args:
        pack: The pack.
        place: Where its own rules stand.
        day: The day on which one asks: of a rule that has ended it is no error.
    """
    for number, rule in enumerate(pack.pack.rules):
        days = pack.space.in_force(pack.space.calendar.in_force(rule.valid))
        for name in sorted(rule.when.names()):
            tests = [test for test in rule.when.tests() if test.fact == name]
            blocks = [pack.space.masks[test] for test in tests]
            if days and all(block == WORLD and not days & ~unknown for block, _, unknown in blocks):
                ended = rule.valid.end is not None and rule.valid.end < day
                yield _tell(
                    pack, place, number, LintSeverity.WARNING if ended else LintSeverity.ERROR, name,
                    f"{name} is never known on its days: {_remedy(name)}; the rule stays undecided for ever",
                )  # fmt: skip
            elif name == DUAL and number in pack.own:
                assessed = {code for world in pack.space.calendar.worlds(dual=True) for code in world.dual}
                lacking = [code for code in OFFENCES if code not in assessed]
                if lacking:
                    yield _tell(
                        pack, place, number, LintSeverity.NOTICE, name,
                        f"{name} is assessed for no State for {listed(lacking)}: "
                        "it is unknown for every item that states one of them",
                    )  # fmt: skip


def _remedy(name: str) -> str:
    if name == DUAL:
        return "the pack holds no assessment of it for any State"
    if FACTS[name].values == frozenset({"YES", "NO"}):
        return "the pack holds no assessment of it for any State by then"
    return "the treaties of this State, or of all others, have not been looked up"


def _tell(
    pack: PackExamination, place: LintLocation, number: int, severity: LintSeverity, name: str, sentence: str
) -> LintFinding:
    """Tell of a fact where the rule stands; of a common rule where this pack could answer it."""
    rule_id = pack.pack.rules[number].id
    if number in pack.own:
        return place.find(severity, LintCode.NEVER_KNOWN, (number, rule_id), sentence, within=("when", name))
    line = place.document.line(("assessments",))
    return LintFinding(severity, LintCode.NEVER_KNOWN, place.document.source, line, rule_id, sentence)


def find_values_that_never_occur(pack: PackExamination, place: LintLocation) -> Iterator[LintFinding]:
    """Yield values that rules ask of a recipient and that no State has on the rule's days."""
    for number in pack.own:
        rule = pack.pack.rules[number]
        epochs = pack.space.calendar.in_force(rule.valid)
        for test in rule.when.tests():
            if test.negated or not _settled(test) or not isinstance(test.operand, frozenset):
                continue
            occurring = frozenset().union(*(pack.space.occurring.get((test.fact, epoch), ()) for epoch in epochs))
            absent = sorted(test.operand - occurring)
            if absent and (len(absent) < len(test.operand) or test.operator is Operator.INCLUDES):
                yield place.find(
                    LintSeverity.WARNING,
                    LintCode.NEVER_OCCURS,
                    (number, rule.id),
                    f"{test.fact} is never {listed(absent, 'or')} on its days, for any State",
                    within=("when", test.fact),
                )


def _settled(test: Test) -> bool:
    fact = FACTS[test.fact]
    return fact.scope is not FactScope.INDICATOR and not fact.tristate and test.fact not in FREE_OF_THE_RECIPIENT
