"""What every draft has, no matter what it asks for: where it comes from, its marking, and what must be read first."""

from __future__ import annotations

from sharing.followups.consent import list_cautions
from sharing.followups.context import FollowUpContext
from sharing.followups.document import DraftSection, FollowUpDocument, FollowUpKind
from sharing.followups.known import format_marking
from sharing.model.notice import Notice


def assemble_draft(
    kind: FollowUpKind, title: str, notice: Notice, context: FollowUpContext, sections: tuple[DraftSection, ...]
) -> FollowUpDocument:
    """Return a draft of these sections.

    Args:
        kind: What is drafted.
        title: Its title.
        notice: The notice on which it rests.
        context: What is known beyond it.
        sections: The sections, in order.
    """
    cautions = list_cautions(kind, notice, context)
    return FollowUpDocument(kind, title, notice.id, format_marking(notice), cautions, sections, context.now)
