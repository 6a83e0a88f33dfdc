"""The list of equivalent mutants: changes that no case can notice, because no decision depends on them.

```yaml
equivalent:
  - rule: at.example-1
    changes: [effect RECORD]
    reason: Nothing permits what the rule forbids.
```

Each entry names a rule, the changes as the report describes them, and the reason. A rule with several versions is named
with the first day of the version: `at.example-1 from 2020-01-01`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from sharing.errors import PackError
from sharing.model.strict_model import StrictModel
from sharing.model.validation_errors import suggest_nearest
from sharing.yaml_files.source import YamlDocument, read_yaml, validate_document

MutantName = tuple[str, str]
"""Name of a rule, and the change."""

_NonEmptyText = Annotated[str, Field(min_length=1)]


class _EntryModel(StrictModel):
    rule: _NonEmptyText
    changes: list[_NonEmptyText] = Field(min_length=1)
    reason: _NonEmptyText


class _EquivalentsModel(StrictModel):
    equivalent: list[_EntryModel]


@dataclass(frozen=True, slots=True)
class EquivalentMutants:
    """Equivalent mutants.

    Attributes:
        reasons: Why each mutant is equivalent.
        document: The file; None if there is none.
    """

    reasons: Mapping[MutantName, str] = field(default_factory=dict)
    document: YamlDocument | None = None

    def select(self, rules: Collection[str]) -> dict[MutantName, str]:
        """Return those of some rules, by their names."""
        return {name: reason for name, reason in self.reasons.items() if name[0] in rules}

    def require_known(self, rules: Collection[str]) -> None:
        """Check that each entry is about one of some rules; otherwise it would never be reported as out of date.

        Raises:
            PackError: An entry is not.
        """
        if self.document is None:
            return
        for index, entry in enumerate(self.document.data["equivalent"]):
            if entry["rule"] not in rules:
                hint = suggest_nearest(entry["rule"], rules)
                raise self.document.error(f"no pack has a rule {entry['rule']!r}{hint}", ("equivalent", index, "rule"))


def parse_equivalents(text: str, source: str) -> EquivalentMutants:
    """Parse a list of equivalent mutants.

    Raises:
        PackError: It is invalid, or lists a mutant twice; the message has file, line and key.
    """
    document = read_yaml(text, source, make_error=PackError)
    model = validate_document(document, _EquivalentsModel)
    reasons: dict[MutantName, str] = {}
    for index, entry in enumerate(model.equivalent):
        for change in entry.changes:
            if (entry.rule, change) in reasons:
                raise document.error(f"{change!r} is listed twice for this rule", ("equivalent", index, "changes"))
            reasons[entry.rule, change] = entry.reason
    return EquivalentMutants(reasons, document)
