"""What an answer must say in addition to itself, and what it may say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from sharing.conversation.vocabulary import Answer

_NONE: Final[frozenset[str]] = frozenset()

ANSWER_PARTS: Final[Mapping[Answer, tuple[frozenset[str], frozenset[str]]]] = MappingProxyType(
    {
        Answer.REFUSED: (frozenset({"grounds"}), _NONE),
        Answer.ACCEPTED: (frozenset({"conditions_hash"}), _NONE),
        Answer.CANNOT_COMPLY: (frozenset({"conditions_hash"}), _NONE),
        Answer.DECLINED: (_NONE, frozenset({"grounds"})),
        Answer.PROVIDE_ANYWAY: (frozenset({"text"}), _NONE),
        Answer.RELAX: (frozenset({"relaxed"}), _NONE),
        Answer.WITHDRAW: (_NONE, frozenset({"grounds"})),
        Answer.SUPPLIED: (frozenset({"facts"}), _NONE),
    }
)
"""What an answer needs, and what it may have. Any answer may have text and the hash of the conditions."""


def needs_text(answer: Answer) -> bool:
    """Return whether an answer needs its grounds in words."""
    return "text" in ANSWER_PARTS.get(answer, (_NONE, _NONE))[0]


def require_parts(answer: Answer, present: Collection[str]) -> None:
    """Refuse an answer without what it needs, or with what does not belong to it. Its text is checked elsewhere.

    Args:
        answer: The answer.
        present: Which parts it has, without text.

    Raises:
        ValueError: Something is missing, or there is too much.
    """
    needed, allowed = ANSWER_PARTS.get(answer, (_NONE, _NONE))
    missing = sorted(needed - {*present, "text"})
    surplus = sorted({*present} - needed - allowed - {"conditions_hash"})
    if missing:
        raise ValueError(f"the answer {answer} needs {', '.join(missing)}")
    if surplus:
        raise ValueError(f"the answer {answer} has no {', '.join(surplus)}")
