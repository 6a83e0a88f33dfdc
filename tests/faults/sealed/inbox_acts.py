"""What the conversations of the States say of the inboxes: what they have kept out, deleted, and sent to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.vocabulary import AskKind
from sharing.ids import make_ask_id
from sharing.rulings.act import Act, ActKind
from tests.faults.contents import CommittedRecord

SentKey = tuple[str, str, Revision, str, str]
"""Of what was sent: State and id of the item, revision, receiving State, and kind of notice, or id of the offer."""


class InboxActs(NamedTuple):
    """What a State's conversation has done about its inbox.

    Attributes:
        blocked: What it has kept out: State and id of the item, and revision.
        shredded: Up to which revision it has deleted an item, by State and id of the item.
    """

    blocked: AbstractSet[tuple[str, str, Revision]] = frozenset()
    shredded: Mapping[tuple[str, str], Revision] = {}


def read_inbox_acts(acts: Iterable[Act]) -> InboxActs:
    """Return what a State's acts say of its inbox."""
    blocked: set[tuple[str, str, Revision]] = set()
    shredded: dict[tuple[str, str], Revision] = {}
    for act in acts:
        item = act.provider, act.item_id
        if act.kind is ActKind.BLOCKED and act.revision is not None:
            blocked.add((*item, act.revision))
        elif act.kind is ActKind.SHREDDED and act.revision is not None:
            shredded[item] = max(act.revision, shredded.get(item, NO_REVISION))
    return InboxActs(blocked, shredded)


def list_sent_keys(acts: Iterable[Act]) -> set[SentKey]:
    """Return what a State's conversation has sent, according to its acts; without the gate's first offers."""
    sent: set[SentKey] = set()
    for act in acts:
        if act.provider != act.state or act.revision is None:
            continue
        if act.kind is ActKind.NOTICE_SENT:
            sent |= {(act.state, act.item_id, act.revision, to, str(act.notice_kind)) for to in act.states}
        elif act.kind is ActKind.ASK_OPENED and act.ask_kind is AskKind.ACCEPT and not _is_first_offer(act):
            sent |= {(act.state, act.item_id, act.revision, to, str(act.ask)) for to in act.states}
    return sent


def find_sent_key(message: CommittedRecord) -> SentKey:
    """Return what a notice or an offer says that it is."""
    data = message.data
    revision = Revision(int(data["version"]), int(data["amendment"]))
    kind = str(data.get("kind") or data["id"])
    return str(data["from_state"]), str(data["item_id"]), revision, str(data["to_state"]), kind


def _is_first_offer(act: Act) -> bool:
    (to,) = act.states
    return act.ask == make_ask_id(act.item_id, AskKind.ACCEPT, f"1.0/{to}", 1)
