"""Why a State is considered for an item, and what of it may be kept forever."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from sharing.model.vocabulary import RelevanceKind

_VALUE_PART = re.compile(r" [+.].*", re.DOTALL)
"""What derived evidence names of a value: its calling code or top-level domain, as in "E.164 prefix +41"."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a State is considered.

    Attributes:
        detail: May be content: it appears only in the draft and the content of a notice, never in a decision, envelope,
            key or header.
    """

    kind: RelevanceKind
    detail: str

    @property
    def permanent_detail(self) -> str:
        """The part of the detail that may be kept forever: codes, but no words of an agency and no part of a value."""
        match self.kind:
            case RelevanceKind.NEXUS_STATED | RelevanceKind.MATCH:
                return ""
            case RelevanceKind.NEXUS_DERIVED:
                return _VALUE_PART.sub("", self.detail)
            case RelevanceKind.INTEREST | RelevanceKind.OBLIGATION:
                return self.detail
            case _:
                assert_never(self.kind)


def is_named_by_agency(reasons: Iterable[Reason]) -> bool:
    """Return whether one of the reasons to consider a State is that the agency named it as concerned."""
    return any(reason.kind is RelevanceKind.NEXUS_STATED for reason in reasons)
