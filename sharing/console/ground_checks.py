"""Which grounds of refusal are available: those of treaties in force, and discretion where no rule obliges."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.errors import InputError
from sharing.model.times import to_utc_day
from sharing.packs.library import Law, find_law
from sharing.packs.signature import read_public_keys
from sharing.rulings.alikeness import find_unavailable_ground
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.ruling import Answering
from sharing.rulings.vocabulary import FAULT_SENTENCES, GROUND_INSTRUMENTS
from sharing.sentences import say


def require_grounds(
    console: ConsoleConnection, asks: Sequence[FoundAsk], terms: dict[str, AskedTerms], act: Answering, now: int
) -> None:
    """Refuse grounds of refusal that are not available.

    Raises:
        InputError: One is that of a treaty that is not in force between the States, or discretion is the only one and
            a rule obliges the State.
    """
    for found in asks:
        others = found.ask.recipients if found.provider == console.state else {found.provider}
        in_force = _list_in_force(console, others, now) if set(act.grounds) & set(GROUND_INSTRUMENTS) else frozenset()
        obliged = found.provider == console.state and terms[found.ask.id].is_obligatory
        fault = find_unavailable_ground(act, is_obliged=obliged, in_force=in_force)
        if fault is not None:
            raise InputError(say(FAULT_SENTENCES[fault]), field="grounds")


def find_own_citation(console: ConsoleConnection, rule: str) -> str | None:
    """Return the provision that a rule of this State's law pack cites; None if the pack has no rule with this id.

    Raises:
        SharingError: The law pack cannot be read.
    """
    return next((each.citation for each in _find_own_law(console).pack.rules if each.id == rule), None)


def _list_in_force(console: ConsoleConnection, others: Collection[str], now: int) -> frozenset[str]:
    """Return the instruments that bind this State and each of the others today."""
    law, day = _find_own_law(console), to_utc_day(now)
    common = [law.treaties.list_common_instruments(console.state, other, day) or frozenset[str]() for other in others]
    return frozenset.intersection(*map(frozenset, common)) if common else frozenset()


def _find_own_law(console: ConsoleConnection) -> Law:
    settings = console.settings
    return find_law(console.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
