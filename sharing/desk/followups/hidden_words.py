"""Why nothing can be drafted from an item, in words."""

from __future__ import annotations

from sharing.desk.contents.access import HiddenReason
from sharing.desk.web.catalogue import _


def explain_hidden(reason: HiddenReason | None) -> tuple[str, str]:
    """Return why no draft can be made, and what to do.

    Args:
        reason: Why the content is hidden from the officer; None if there is no notice of it.
    """
    deleted = (
        _("The item should have been deleted by now, so no draft can be made from it."),
        _("Ask the State that sent it to send it again, if it is needed."),
    )
    known = {
        HiddenReason.RECALLED: (
            _("The item was recalled and must no longer be used, so no draft can be made from it."),
            _("Destroy earlier drafts, and tell those who received them."),
        ),
        HiddenReason.EXPIRED: deleted,
        HiddenReason.SHREDDED: deleted,
        HiddenReason.NOT_DELIVERED: (
            _("Only conditions were offered so far; the item itself has not arrived."),
            _("Accept the offer first, then draft from the notice."),
        ),
        HiddenReason.NOT_READ_YET: (
            _("The desk has not read the inbox to its end yet."),
            _("Wait a minute, then try again."),
        ),
        HiddenReason.NO_READER_KEY: (
            _("This desk cannot open received items: it has no reader's key."),
            _("Ask the operator to set SHARING_READER_KEY."),
        ),
        HiddenReason.NOT_RECORDED: (
            _("The draft was not made, because the opening of the item could not be recorded."),
            _("Nothing was opened. Try again when the broker is back."),
        ),
        HiddenReason.NOT_OPENED: (
            _("The item cannot be opened: its copy in the inbox is damaged, or another key is needed."),
            _("Tell the operator; the page of the item has its id."),
        ),
    }
    if reason in known:
        return known[reason]
    return (
        _("There is no received item here from which you may make a draft."),
        _("Open a received item, and choose a follow-up there."),
    )
