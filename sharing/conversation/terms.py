"""The terms on which the law lets a State have an item, reduced to what the conversation compares."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final, Self

from sharing.model.vocabulary import Outcome

TEXT_HASH_BYTES: Final = 16
"""How many bytes of the SHA-256 of a condition's code and text are stored."""

_OPENNESS: Final = {outcome: rank for rank, outcome in enumerate(reversed(Outcome))}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the law says for one State at one instant.

    Attributes:
        state: The receiving State.
        outcome: The outcome.
        conditions: Codes of the conditions that bind the receiving State.
        optional: Those of them that the law does not require, so that an officer may waive them.
        accept_first: Whether the receiving State must accept them before it gets content.
        redacted: Names of the fields that are left out.
        approver: The role that must approve where the outcome is HOLD.
        approvers_needed: How many officers with that role must approve.
        missing: The facts that are missing, so that the outcome is WITHHOLD, if people can supply all of them.
        texts: Code and `hash_condition` of each condition: the same code may get another text.
    """

    state: str
    outcome: Outcome
    conditions: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    accept_first: bool = False
    redacted: frozenset[str] = frozenset()
    approver: str | None = None
    approvers_needed: int = 1
    missing: frozenset[str] = frozenset()
    texts: frozenset[tuple[str, str]] = frozenset()

    @property
    def required(self) -> frozenset[str]:
        """Codes of the conditions that the law requires."""
        return self.conditions - self.optional

    def relax(self, conditions: frozenset[str]) -> Self:
        """Return these terms with only some of the conditions, to be accepted before content."""
        return replace(
            self,
            conditions=conditions,
            optional=self.optional & conditions,
            accept_first=True,
            texts=self.list_texts(conditions),
        )

    def list_texts(self, codes: frozenset[str]) -> frozenset[tuple[str, str]]:
        """Return code and hash of each of these conditions whose text is known."""
        return frozenset((code, text) for code, text in self.texts if code in codes)


def hash_condition(code: str, text: str) -> str:
    """Return the hash of a condition's code and text, in hexadecimal digits."""
    digest = hashlib.sha256(b"sharing/condition/v1\x00%b\x00%b" % (code.encode(), text.encode())).digest()
    return digest[:TEXT_HASH_BYTES].hex()


def is_no_less_open(current: Terms, granted: Terms) -> bool:
    """Return whether the law is at least as open as when a delivery was prepared.

    Less open means: a stricter outcome, an additional required condition, a different text of a required condition,
    acceptance before content where none was needed, an additional redacted field, or a different or additional
    approver.

    Args:
        current: The law in force now.
        granted: The terms under which the Asks were opened.
    """
    return (
        _OPENNESS[current.outcome] >= _OPENNESS[granted.outcome]
        and current.required <= granted.conditions
        and current.list_texts(current.required) == granted.list_texts(current.required)
        and current.accept_first <= granted.accept_first
        and current.redacted <= granted.redacted
        and (current.outcome is not Outcome.HOLD or _names_same_approver(current, granted))
    )


def _names_same_approver(current: Terms, granted: Terms) -> bool:
    return current.approver == granted.approver and current.approvers_needed <= granted.approvers_needed
