"""Answers that cover later Asks, as the State's worker keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_duration, describe_kind, join_codes
from sharing.console.found_asks import FoundAsk
from sharing.conversation_state.covers import Covers, CoverTerms
from sharing.errors import InputError
from sharing.kafka.conversation_reader import EntryTable
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import format_time
from sharing.rulings.asked_terms import AskedTerms
from sharing.sentences import say

SHOWN_DIGITS = 16
DIGITS_MIN = 8


@dataclass(frozen=True, slots=True)
class FoundCover:
    """An answer that covers later Asks. Its signature is not verified here: the worker does that each time.

    Attributes:
        digest: What identifies its ruling.
        terms: What it says, in the worker's words: codes and ids. The ruling itself is sealed.
        until: Until when it covers, in UTC milliseconds.
        partitions: The partitions on which the worker keeps it.
    """

    digest: str
    terms: CoverTerms
    until: int
    partitions: tuple[int, ...]

    @property
    def officer(self) -> str:
        """Id of the officer who has signed it."""
        return self.terms.officer

    @property
    def provider(self) -> str:
        """The State that provides the items."""
        return self.terms.provider

    def is_for(self, found: FoundAsk, asked: AskedTerms) -> bool:
        """Return whether Asks like this one are what it covers."""
        own, ask = self.terms, found.ask
        covered = (own.provider, own.kind, frozenset(own.recipients), own.rule, own.conditions_hash)
        return covered == (found.provider, ask.kind, ask.recipients, asked.rule, asked.conditions_hash)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        terms = self.terms
        return {
            "cover": self.digest,
            "officer": terms.officer,
            "from": terms.provider,
            "kind": terms.kind.value,
            "recipients": list(terms.recipients),
            "rule": terms.rule,
            "conditions_hash": terms.conditions_hash,
            "answer": terms.answer.value,
            "grounds": list(terms.grounds),
            "until": format_time(self.until),
            "partitions": list(self.partitions),
        }

    def describe(self, now: int) -> str:
        """Return it as one line of a list."""
        by = f"by {self.officer} [{self.digest[:SHOWN_DIGITS]}]"
        what = f"{describe_kind(self.terms.kind)} (of {self.provider}, for {join_codes(self.terms.recipients)})"
        left = describe_duration(max(0, self.until - now))
        return f"later ones are answered {self.terms.answer} for {left}: {what}, {by}"


def list_covers(covers: Mapping[int, Covers], now: int) -> list[FoundCover]:
    """Return the answers that cover something now, those that end first before the others.

    Args:
        covers: What the worker keeps, by partition.
        now: The time in UTC milliseconds.
    """
    kept = [(number, cover) for number in sorted(covers) for cover in covers[number].covers if cover.until > now]
    found = [
        FoundCover(digest, cover.terms, cover.until, tuple(number for number, each in kept if each.digest == digest))
        for digest, cover in {cover.digest: cover for _, cover in kept}.items()
    ]
    return sorted(found, key=lambda each: (each.until, each.digest))


def read_covers(console: ConsoleConnection, now: int, unreadable: Unreadable | None = None) -> list[FoundCover]:
    """Read the answers that cover something now.

    Args:
        console: The connection.
        now: The time in UTC milliseconds.
        unreadable: Is given what cannot be read: an answer may be in it. None if that is an error.

    Raises:
        InfrastructureError: No broker answers, or the entries cannot be read.
    """
    table: EntryTable[None] = EntryTable(
        console.servers, console.state, _keep_nothing, console.properties, skip_unreadable=unreadable is not None
    )
    table.read()
    if unreadable is not None:
        unreadable += table.list_unreadable()
    return list_covers(table.covers, now)


def choose_cover(covers: list[FoundCover], name: str) -> FoundCover:
    """Return the one that a user names, by the beginning of its digest.

    Raises:
        InputError: None begins so, or several do.
    """
    begun = [each for each in covers if len(name) >= DIGITS_MIN and each.digest.startswith(name)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise InputError(
            say(
                "the ids of %(count)s answers that cover later questions begin with this; give more digits",
                count=len(begun),
            )
        )
    raise InputError(
        say(
            "no answer that covers later questions begins with these %(count)s digits or more; see `sharing asks "
            "covers`",
            count=DIGITS_MIN,
        )
    )


def _keep_nothing(key: bytes, entry: bytes) -> None:
    del key, entry
