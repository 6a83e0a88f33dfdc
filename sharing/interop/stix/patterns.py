"""The constants that a STIX pattern compares, and whether each alone says what the pattern says.

Patterns are parsed by the OASIS library. A pattern that is one comparison, or several of which one is enough (OR, IN),
says of each constant that it indicates something. A pattern that asks for several things at once says less than each of
its constants, unless they all describe one object: the hash and the name of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from antlr4.error.Errors import RecognitionException
from stix2patterns.exceptions import ParseException
from stix2patterns.v21.grammars.STIXPatternParser import STIXPatternParser as Parser
from stix2patterns.v21.pattern import Pattern

from sharing.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

PATTERN_CHARACTERS_MAX: Final = 256 * 1024
"""A longer pattern is not parsed: parsing takes seconds."""

STAR = "*"
"""The step of a path that stands for any or for one element of a list."""

_QUALIFIED = "the pattern asks for it within a time, or repeatedly; the value alone would say more than the pattern"
_SEVERAL = "the pattern asks for other observations too; the value alone would say more than the pattern"
_TOGETHER = (
    "the pattern asks for several values at once, which do not just describe one object; the value alone would say "
    "more than the pattern"
)
_OPERATOR = "the pattern compares by an operator other than = and IN; the value alone would not say the same"
_EMPTY = "the pattern names no value; it asks whether there is one"

_WHOLE_ONLY = frozenset({"email-message", "process"})
"""Objects of which a part says more than the whole: the sender of a mail with a certain subject may be anyone."""

_ESCAPED = re.compile(r"\\(['\\])")


@dataclass(frozen=True, slots=True)
class PatternConstant:
    """A constant to which a pattern compares something.

    Attributes:
        object_type: Type of the observable.
        path: Path to its property; `*` stands for an element of a list.
        text: The constant, if it is text or a number; None otherwise.
        condition: Why the value alone would not say what the pattern says; "" if it does.
        siblings: The texts that properties of the same object must have, by name.
    """

    object_type: str
    path: tuple[str, ...]
    text: str | None
    condition: str = ""
    siblings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One comparison of a pattern; `is_positive` is false for an operator other than = and IN."""

    object_type: str
    path: tuple[str, ...]
    texts: tuple[str | None, ...]
    is_positive: bool


def read_pattern(text: str) -> list[PatternConstant]:
    """Return the constants of a pattern, in its order. A comparison without a constant has one without text.

    Raises:
        InputError: It is not a STIX pattern, or is too long or nested too deeply. The message does not repeat it.
    """
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise InputError(f"pattern: is longer than {PATTERN_CHARACTERS_MAX} characters; split it")
    try:
        tree = Pattern(text).visit(_TreeKeeper())
        return [
            constant for node, condition in _find_observations(tree) for constant in _read_observation(node, condition)
        ]
    except RecursionError:
        raise InputError("pattern: is nested too deeply to be read; split it") from None
    except (ParseException, RecognitionException, AttributeError):
        # The library fails with an AttributeError where the parser has no message for the error.
        raise InputError(
            "pattern: is not a STIX pattern; in its texts, a backslash is written twice, and a quote after a backslash"
        ) from None


class _TreeKeeper:
    """Returns the tree of a pattern as it is."""

    def visit(self, tree: Any) -> Any:
        """Return the tree."""
        return tree


def _find_observations(tree: Any) -> Iterator[tuple[Any, str]]:
    """Yield each comparison expression in brackets, and why its values alone would say more than the pattern."""
    waiting = [(tree, "")]
    while waiting:
        node, condition = waiting.pop()
        if isinstance(node, Parser.ObservationExpressionSimpleContext):
            yield node.comparisonExpression(), condition
            continue
        if (isinstance(node, Parser.ObservationExpressionsContext) and node.FOLLOWEDBY()) or (
            isinstance(node, Parser.ObservationExpressionAndContext) and node.AND()
        ):
            condition = condition or _SEVERAL
        elif isinstance(
            node,
            Parser.ObservationExpressionWithinContext
            | Parser.ObservationExpressionRepeatedContext
            | Parser.ObservationExpressionStartStopContext,
        ):
            condition = condition or _QUALIFIED
        waiting.extend((child, condition) for child in reversed(_get_rules(node)))


def _read_observation(tree: Any, condition: str) -> Iterator[PatternConstant]:
    """Yield the constants of the alternatives of a comparison expression."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Parser.ComparisonExpressionAndContext) and node.AND():
            yield from _read_conjunction(node, condition)
        elif _is_comparison(node):
            comparison = _read_comparison(node)
            yield from _list_constants(comparison, condition or _judge(comparison), {})
        else:
            waiting.extend(reversed(_get_rules(node)))


def _read_conjunction(tree: Any, condition: str) -> Iterator[PatternConstant]:
    """Yield the constants of comparisons of which several must be true of one object."""
    operands: list[list[_Comparison]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Parser.ComparisonExpressionAndContext) and node.AND():
            waiting.extend(reversed(_get_rules(node)))
        else:
            operands.append(_find_comparisons(node))
    comparisons = [comparison for operand in operands for comparison in operand]
    if not _describes_one_object(operands):
        condition = condition or _TOGETHER
    siblings = _find_siblings(comparisons)
    for comparison in comparisons:
        yield from _list_constants(comparison, condition or _judge(comparison), siblings[comparison.path[:-1]])


def _find_comparisons(tree: Any) -> list[_Comparison]:
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if _is_comparison(node):
            found.append(_read_comparison(node))
        else:
            waiting.extend(reversed(_get_rules(node)))
    return found


def _describes_one_object(operands: list[list[_Comparison]]) -> bool:
    """Return whether comparisons that must all be true describe one object by its properties, each of which is one."""
    comparisons = [comparison for operand in operands for comparison in operand]
    types = {comparison.object_type for comparison in comparisons}
    if len(types) != 1 or types & _WHOLE_ONLY or not all(comparison.is_positive for comparison in comparisons):
        return False
    paths = [{comparison.path for comparison in operand} for operand in operands]
    if sum(map(len, paths)) != len(set().union(*paths)):
        return False  # one property has several values at once
    return len({comparison.path[0] for comparison in comparisons} & {"src_ref", "dst_ref"}) <= 1


def _find_siblings(comparisons: list[_Comparison]) -> dict[tuple[str, ...], dict[str, str]]:
    """Return the texts of properties by the path of their object and by name; only unambiguous ones."""
    texts: dict[tuple[str, ...], dict[str, set[str | None]]] = {}
    for comparison in comparisons:
        names = texts.setdefault(comparison.path[:-1], {})
        names.setdefault(comparison.path[-1], set()).update(comparison.texts)
    return {
        path: {name: text for name, found in names.items() if len(found) == 1 and (text := next(iter(found)))}
        for path, names in texts.items()
    }


def _judge(comparison: _Comparison) -> str:
    if not comparison.is_positive:
        return _OPERATOR
    return "" if comparison.texts else _EMPTY


def _list_constants(comparison: _Comparison, condition: str, siblings: Mapping[str, str]) -> Iterator[PatternConstant]:
    for text in comparison.texts or (None,):
        yield PatternConstant(comparison.object_type, comparison.path, text, condition, siblings)


def _is_comparison(node: Any) -> bool:
    return isinstance(node, Parser.PropTestContext) and not isinstance(node, Parser.PropTestParenContext)


def _read_comparison(node: Any) -> _Comparison:
    object_path = node.objectPath()
    path = [object_path.firstPathComponent(), *_iterate_steps(object_path.objectPathComponent())]
    is_set, is_equal = isinstance(node, Parser.PropTestSetContext), isinstance(node, Parser.PropTestEqualContext)
    if is_set:
        literals = node.setLiteral().primitiveLiteral()
    elif is_equal:
        literals = [node.primitiveLiteral()]
    else:
        literals = [literal for literal in _get_rules(node) if isinstance(literal, Parser.OrderableLiteralContext)]
    return _Comparison(
        object_path.objectType().getText(),
        tuple(map(_read_step, path)),
        tuple(map(_read_literal, literals)),
        (is_set or (is_equal and node.NEQ() is None)) and node.NOT() is None,
    )


def _iterate_steps(tree: Any) -> Iterator[Any]:
    """Yield the steps of a path after the first one, in their order."""
    waiting = [] if tree is None else [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Parser.PathStepContext):
            waiting.extend(reversed(_get_rules(node)))
        else:
            yield node


def _read_step(node: Any) -> str:
    if isinstance(node, Parser.IndexPathStepContext):
        return STAR
    text = str(node.getText()).removeprefix(".")
    return _unquote(text) if text.startswith("'") else text


def _read_literal(node: Any) -> str | None:
    text = str(node.getText())
    if text.startswith("'"):
        return _unquote(text)
    return text if text.isdecimal() else None


def _unquote(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1])


def _get_rules(node: Any) -> list[Any]:
    """Return the children of a node that are not tokens."""
    return [child for child in node.getChildren() if hasattr(child, "getRuleIndex")]
