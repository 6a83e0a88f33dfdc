"""By which law something was decided: the words first, the citation beside.

The words are a rule's own paraphrase in its pack. They are shown only if the pack is here in the version that was
applied: of another version nobody knows here what it says.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sharing.console.connection import ConsoleConnection
from sharing.errors import SharingError
from sharing.law.pack import Rule
from sharing.model.decision import PackReference
from sharing.model.recipient_terms import RuleReference
from sharing.model.vocabulary import Effect
from sharing.packs.library import Law, find_law
from sharing.packs.signature import read_public_keys


class ShownRule(NamedTuple):
    """A rule as a page shows it.

    Attributes:
        rule: The rule, with its citation.
        words: Its paraphrase; "" if the pack that was applied is not here.
        approvals: How many officers it asks to approve; 1 also where it asks nobody, or the pack is not here.
    """

    rule: RuleReference
    words: str
    approvals: int = 1


def describe_rules(
    console: ConsoleConnection, rules: Iterable[RuleReference], pack: PackReference
) -> list[ShownRule]:  # fmt: skip
    """Return rules as a page shows them.

    Args:
        console: The connection, whose settings say where packs are.
        rules: The rules.
        pack: The pack that was applied.
    """
    law = find_applied_law(console, pack)
    known = {} if law is None else {rule.id: rule for rule in law.pack.rules}
    return [_show(rule, known.get(rule.id)) for rule in rules]


def _show(reference: RuleReference, rule: Rule | None) -> ShownRule:
    if rule is None:
        return ShownRule(reference, "")
    is_asking = reference.effect is Effect.APPROVAL
    return ShownRule(reference, rule.paraphrase, rule.asked_approvals if is_asking else 1)


def find_applied_law(console: ConsoleConnection, pack: PackReference) -> Law | None:
    """Return the law of a State, if its pack is here in the version that was applied; None otherwise."""
    settings = console.settings
    return _find_law(settings.packs, settings.pack_key, pack.state, pack.sha256)


@lru_cache(maxsize=256)
def _find_law(folder: Path | None, key_file: Path | None, state: str, sha256: str) -> Law | None:
    try:
        law = find_law(state, folder, None, keys=read_public_keys(key_file))
    except SharingError:  # no pack of that State is here
        return None
    return law if law.pack.sha256 == sha256 else None
