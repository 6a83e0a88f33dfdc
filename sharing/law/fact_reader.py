"""Reads facts from the records of indicators: their raw values, before they are interpreted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, cast

from sharing.law.facts import Fact
from sharing.model.indicator_record import WireRecord

RawFacts = tuple[tuple[Hashable, ...], ...]
"""The values as they are in the record, before UNKNOWN becomes None and lists become sets, in the order of the facts.

Together with the audience, they are the key of a cached verdict.
"""


class FactReader:
    """Reads some facts from records.

    Attributes:
        facts: The facts, in the order in which they are read: the officer's findings come last.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        wanted = list(facts)
        findings = [fact for fact in wanted if fact.name.startswith("findings.")]
        others = [fact for fact in wanted if fact not in findings]
        self.facts = (*others, *findings)
        self._read_others = _compile_reader(others)
        self._findings = [fact.name.removeprefix("findings.") for fact in findings]
        self._no_findings = (None,) * len(findings)

    def read_raw_facts(self, record: WireRecord, now_ms: int) -> RawFacts:
        """Return the raw values of a record, at a time in UTC milliseconds."""
        findings = record["findings"]
        return (
            self._read_others(record, now_ms),
            tuple(map(findings.get, self._findings)) if findings else self._no_findings,
        )


def _compile_reader(facts: Iterable[Fact]) -> Callable[[WireRecord, int], tuple[Hashable, ...]]:
    """Compile one expression that reads the raw values of some facts.

    Every decision reads every fact, and a loop over them takes nearly twice as long. The expression contains only names
    from the closed vocabulary of facts, never anything from a pack or a record.
    """
    functions: dict[str, Any] = {}
    parts = []
    for number, fact in enumerate(facts):
        if fact.is_plain:
            parts.append("record" + "".join(f"[{part!r}]" for part in fact.name.split(".")))
        else:
            functions[f"read_{number}"] = fact.read_raw
            parts.append(f"read_{number}(record, now_ms)")
    return cast(
        "Callable[[WireRecord, int], tuple[Hashable, ...]]",
        eval(f"lambda record, now_ms: ({''.join(f'{part}, ' for part in parts)})", functions),  # noqa: S307 see above
    )
