"""Which follow-ups fit a notice, and the draft of each."""

from __future__ import annotations

from typing import assert_never

from sharing.errors import InputError
from sharing.followups.assistance import draft_assistance
from sharing.followups.context import FollowUpContext
from sharing.followups.document import FollowUpDocument, FollowUpKind
from sharing.followups.preservation import draft_preservation
from sharing.followups.stop_payment import PAYMENT_TYPES, draft_stop_payment
from sharing.model.notice import Notice
from sharing.model.vocabulary import NoticeKind


def list_fitting(notice: Notice) -> tuple[FollowUpKind, ...]:
    """Return what can be drafted from a notice: nothing from a recall; a stop-payment sheet only about a payment."""
    if notice.kind is NoticeKind.RECALL:
        return ()
    is_payment = notice.content["type"] in PAYMENT_TYPES or "type" in notice.redacted
    return tuple(kind for kind in FollowUpKind if is_payment or kind is not FollowUpKind.STOP_PAYMENT)


def make_draft(kind: FollowUpKind, notice: Notice, context: FollowUpContext) -> FollowUpDocument:
    """Return the draft of a follow-up.

    Args:
        kind: What is drafted.
        notice: The notice from which it is filled.
        context: What is known beyond it.

    Raises:
        InputError: It does not fit the notice.
    """
    if notice.kind is NoticeKind.RECALL:
        raise InputError(f"notice {notice.id} recalls the item: it must no longer be used, so no draft can be made")
    if notice.retain_until is not None and notice.retain_until <= context.now:
        raise InputError(
            f"notice {notice.id} should have been deleted by now, so no draft can be made; ask {notice.from_state} to "
            "send the item again if it is needed"
        )
    if kind not in list_fitting(notice):
        raise InputError(
            f"notice {notice.id} is not about an account, card or payment, so no stop-payment sheet is drafted from it"
        )
    match kind:
        case FollowUpKind.PRESERVATION:
            return draft_preservation(notice, context)
        case FollowUpKind.ASSISTANCE:
            return draft_assistance(notice, context)
        case FollowUpKind.STOP_PAYMENT:
            return draft_stop_payment(notice, context)
        case _:
            assert_never(kind)
