"""Where the rules of one law are true, and where they may be: over all items and recipients at once.

Treaties follow `sharing.law.recipients`: an instrument counts for an item if it binds both States, covers the item and
both authorities. Each instrument that may cover it is a candidate for the treaty basis, up to the first that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from sharing.law.constraints import AnyOf, Conjunction, FactTest, Operator
from sharing.law.fact_values import NONE
from sharing.law.pack import EMERGENCY_TEST, BilateralAgreement, Pack, Rule
from sharing.law.recipients import DECISIVE_ANSWERS
from sharing.law.search.cubes import Cover, Cube, intersect_covers
from sharing.law.search.dimensions import AUTHORITY, RECIPIENT_DIMENSION, is_item_test
from sharing.law.search.item_space import ItemSpace
from sharing.law.search.recipients import RecipientView
from sharing.law.search.ternary import NEVER, Ternary, complement, conjoin, disjoin, negate, simplify, subtract
from sharing.law.treaties import Coverage, Instrument, TreatyTable
from sharing.model.vocabulary import ConditionModel

_SENDER = "source.authority"
_Key = TypeVar("_Key")


class ExceptionCover(NamedTuple):
    """Where the exception of a rule does not apply, and where that is unknown."""

    false: Cover
    undecided: Cover


class _Candidate(NamedTuple):
    """Where an instrument may be the treaty basis. `name` is NONE for none, and None if it was not looked up."""

    name: str | None
    condition_model: ConditionModel | None
    cover: Cover
    is_exculpatory: bool = False


def list_space_tests(pack: Pack, treaties: TreatyTable) -> Iterable[FactTest]:
    """Yield the tests of a law that an `ItemSpace` must tell apart: of rules, exceptions and instruments."""
    tests = [test for rule in pack.rules for test in rule.iter_tests()]
    instruments: list[Instrument | BilateralAgreement] = [*treaties.instruments.values(), *pack.bilateral.values()]
    for instrument in instruments:
        tests += [*instrument.coverage.scope.iter_tests(), *_list_authority_tests(instrument.coverage)]
    return (test for test in tests if is_item_test(test))


def _list_authority_tests(coverage: Coverage) -> tuple[FactTest, FactTest]:
    return (
        FactTest(_SENDER, Operator.ANY_OF, coverage.senders),
        FactTest(AUTHORITY, Operator.ANY_OF, coverage.receivers),
    )


class LawCovers:
    """The covers of one law.

    Args:
        pack: The law.
        treaties: Its treaty table.
        space: All items; it tells apart the tests of `list_space_tests`.
        views: Each recipient, as this law sees it.
        inside: The relevant items, such as those with some known facts: elsewhere the covers are meaningless. This
            makes them much smaller.

    Attributes:
        without_basis: Where the treaties were not looked up: nothing can be shared.
        pre_accept: Where conditions must be accepted before the content is sent.
        exculpatory: Where the basis allows disclosing what clears an accused despite some conditions.
    """

    def __init__(
        self,
        pack: Pack,
        treaties: TreatyTable,
        space: ItemSpace,
        views: Sequence[RecipientView],
        inside: Cube = MappingProxyType({}),
    ) -> None:
        self.pack = pack
        self._inside = inside
        self._treaties = treaties
        self._space = space
        self._views = views
        self._tests: dict[FactTest, Ternary] = {}
        self._coverage: dict[str, Ternary] = {}
        self._rules: dict[int, Ternary] = {}
        self._in_force = [
            _to_mask(number in view.list_rules_in_force for view in views) for number in range(len(pack.rules))
        ]
        self._groups = _group_views(views, lambda view: (view.instruments, view.is_looked_up))
        self._candidates = {
            mask: self._find_candidates(instruments, mask, looked_up=looked_up)
            for (instruments, looked_up), mask in self._groups
        }
        every = [candidate for candidates in self._candidates.values() for candidate in candidates]
        self.without_basis = _join(one.cover for one in every if one.name is None)
        self.pre_accept = simplify(
            _join(one.cover for one in every if one.condition_model is ConditionModel.PRE_ACCEPT)
        )
        self.exculpatory = complement(
            simplify(_join(one.cover for one in every if not one.is_exculpatory)), space.all_points
        )

    def cover_rule(self, number: int) -> Ternary:
        """Return where a rule is in force and holds, and where it is in force and holds or is undecided."""
        if number not in self._rules:
            self._rules[number] = self._cover_rule(number)
        return self._rules[number]

    def _cover_rule(self, number: int) -> Ternary:
        in_force = self._in_force[number]
        if not in_force:
            return NEVER
        where = conjoin([_make_always(in_force), self._cover(self.pack.rules[number].when)])
        return Ternary(simplify(where.true), simplify(where.possible))

    def cover_exception(self, rule: Rule) -> ExceptionCover | None:
        """Return where the exception of a rule does not apply, and where that is unknown; None if it has none."""
        if rule.exception is None:
            return None
        where = self._cover(rule.exception.when)
        undecided = subtract(where.possible, where.true, self._space.all_points)
        return ExceptionCover(complement(where.possible, self._space.all_points), undecided)

    def cover_emergency(self) -> Cover:
        """Return where the item is an emergency. A rule must test it: see `Rule.iter_tests`."""
        return self._cover(EMERGENCY_TEST).true

    # --- Tests ---

    def _cover(self, expression: Conjunction | AnyOf | FactTest) -> Ternary:
        if isinstance(expression, FactTest):
            cover = self._tests.get(expression)
            if cover is None:
                whole = self._cover_test(expression)
                inside = Ternary(*(_drop_known(part, self._inside) for part in whole)) if self._inside else whole
                cover = self._tests[expression] = inside
            return cover
        if isinstance(expression, AnyOf):
            return disjoin(self._cover(alternative) for alternative in expression.alternatives)
        return conjoin(self._cover(part) for part in expression.parts)

    def _cover_test(self, test: FactTest) -> Ternary:
        if is_item_test(test):
            return self._space.cover_test(test)
        if test.fact in DECISIVE_ANSWERS:
            return self._cover_assessment_by_code(test)
        if test.fact == "recipient.treaties":
            return disjoin(
                self._cover_instruments(test, instruments, mask, looked_up=looked_up)
                for (instruments, looked_up), mask in self._groups
            )
        if test.fact in {"treaty_basis", "condition_model"}:
            return disjoin(self._cover_basis(test, mask) for _, mask in self._groups)
        answers = [test.evaluate(view.facts) for view in self._views]
        true, possible = _to_mask(a is True for a in answers), _to_mask(a is not False for a in answers)
        return Ternary(_limit([{}], true), _limit([{}], possible))

    def _cover_assessment_by_code(self, test: FactTest) -> Ternary:
        decisive = DECISIVE_ANSWERS[test.fact]
        opposite = "NO" if decisive == "YES" else "YES"
        true: Cover = []
        unknown: Cover = []
        for answers, mask in _group_views(
            self._views, lambda view: tuple(sorted(view.answers_by_code[test.fact].items()))
        ):
            where = self._space.cover_answers_by_code(dict(answers), decisive)
            for value, cover in zip((decisive, opposite), where, strict=False):
                if test.evaluate({test.fact: value}):
                    true += _limit(cover, mask)
            unknown += _limit(where[2], mask)
        return Ternary(true, [*true, *unknown])

    # --- Treaties ---

    def _cover_instrument(self, name: str) -> Ternary:
        """Return where an instrument that binds both States covers the item and the authorities."""
        cover = self._coverage.get(name)
        if cover is None:
            coverage = self.pack.get_instrument(name, self._treaties).coverage
            tests = map(self._cover, _list_authority_tests(coverage))
            cover = self._coverage[name] = conjoin([self._cover(coverage.scope), *tests])
        return cover

    def _find_candidates(self, instruments: tuple[str, ...], mask: int, *, looked_up: bool) -> list[_Candidate]:
        """Return where each instrument may be the treaty basis of a group of recipients."""
        candidates = []
        rest: Cover = [{RECIPIENT_DIMENSION: mask}]  # where no instrument so far is known to cover the item
        for name in self.pack.treaty_preference:
            if name in instruments:
                entry, covers = self.pack.get_instrument(name, self._treaties), self._cover_instrument(name)
                where = intersect_covers(rest, covers.possible)
                candidates.append(_Candidate(name, entry.condition_model, where, entry.exculpatory_exception))
                rest = subtract(rest, covers.true, self._space.all_points)
        if looked_up:
            return [*candidates, _Candidate(NONE, ConditionModel.PRE_ACCEPT, rest)]
        return [*candidates, _Candidate(None, None, rest)]

    def _cover_basis(self, test: FactTest, mask: int) -> Ternary:
        """Return where all candidates for the basis pass a test, and where one may."""
        passing: Cover = []
        failing: Cover = []
        for name, condition_model, cover, _ in self._candidates[mask]:
            answer = test.evaluate({test.fact: name if test.fact == "treaty_basis" else condition_model})
            passing += cover if answer is not False else []
            failing += cover if answer is not True else []
        group: Cover = [{RECIPIENT_DIMENSION: mask}]
        return Ternary(subtract(group, failing, self._space.all_points), passing)

    def _cover_instruments(
        self, test: FactTest, instruments: tuple[str, ...], mask: int, *, looked_up: bool
    ) -> Ternary:
        """Return where a test on the instruments that cover the item is true, for a group of recipients."""
        if not looked_up:
            return Ternary([], [{RECIPIENT_DIMENSION: mask}])
        operand = test.operand if isinstance(test.operand, frozenset) else frozenset()
        members = [self._cover_instrument(name) if name in instruments else NEVER for name in sorted(operand)]
        statement = conjoin(members) if test.operator is Operator.INCLUDES else disjoin(members)
        if test.negated:
            statement = negate(statement, self._space.all_points)
        return conjoin([_make_always(mask), statement])


def _group_views(views: Sequence[RecipientView], get_key: Callable[[RecipientView], _Key]) -> list[tuple[_Key, int]]:
    """Return the recipients in groups with equal keys, each as a bit mask."""
    groups: dict[_Key, int] = {}
    for index, view in enumerate(views):
        key = get_key(view)
        groups[key] = groups.get(key, 0) | 1 << index
    return list(groups.items())


def _drop_known(cover: Cover, inside: Cube) -> Cover:
    """Return a cover that is equal inside a cube, without the restrictions that hold everywhere there."""
    dropped: Cover = []
    for cube in cover:
        left: dict[int, int] = {}
        for dimension, points in cube.items():
            wanted = inside.get(dimension)
            if wanted is None or wanted & ~points:
                left[dimension] = points if wanted is None else points & wanted
        if all(left.values()):
            dropped.append(left)
    return dropped


def _make_always(mask: int) -> Ternary:
    return Ternary([{RECIPIENT_DIMENSION: mask}], [{RECIPIENT_DIMENSION: mask}])


def _limit(cover: Cover, mask: int) -> Cover:
    return [{**cube, RECIPIENT_DIMENSION: mask} for cube in cover] if mask else []


def _join(covers: Iterable[Cover]) -> Cover:
    return [cube for cover in covers for cube in cover]


def _to_mask(flags: Iterable[bool]) -> int:
    return sum(1 << index for index, flag in enumerate(flags) if flag)
