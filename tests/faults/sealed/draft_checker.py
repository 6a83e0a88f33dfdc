"""Checks that a gate with a conversation has decided once on each revision, and that each draft was followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sharing.conversation.deliveries import Conversation
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.disclosure.missing_facts import SUPPLIABLE
from tests.faults.contents import CommittedRecord
from tests.faults.output_checker import OUTCOMES, find_widest_outcome
from tests.faults.sealed.conversation_records import ConversationContents, get_revision
from tests.faults.violations import Breach, Violation


def find_draft_violations(contents: ConversationContents) -> list[Violation]:
    """Return the violations in decisions on amendments, in drafts, and in what the conversation knows of them."""
    return [*_check_revisions(contents), *_check_drafts(contents)]


def _check_revisions(contents: ConversationContents) -> Iterator[Violation]:
    """Check that each amendment has one decision, and that an overtaken revision is withheld from everybody."""
    handed = Counter((record.key, get_revision(record)) for record in contents.amendments)
    decided = Counter((record.key, get_revision(record)) for record in contents.decisions if record.data["amendment"])
    for key, revision in handed.keys() | decided.keys():
        if decided[key, revision] != handed[key, revision]:
            breach = Breach.LOST if decided[key, revision] < handed[key, revision] else Breach.DUPLICATED
            number = f"{decided[key, revision]} decisions for {handed[key, revision]}"
            yield Violation(breach, f"amendment {revision} of {key.decode()}: {number}")
    last: dict[str, Revision] = {}
    for record in contents.decisions:
        item = str(record.data["indicator_id"])
        revision = get_revision(record)
        if revision < last.get(item, NO_REVISION) and find_widest_outcome(record) != "WITHHOLD":
            yield Violation(Breach.LEAKED, f"{revision} of {item} came back after a later one", record.at_ms)
        last[item] = max(revision, last.get(item, NO_REVISION))


def _check_drafts(contents: ConversationContents) -> Iterator[Violation]:
    """Check that each decision after which anything can follow has its draft, and that the draft was followed."""
    required: Counter[tuple[str, Revision]] = Counter()
    last: dict[str, Revision] = {}
    for record in contents.decisions:
        indicator, revision = str(record.data["indicator_id"]), get_revision(record)
        is_overtaken = revision < last.get(indicator, NO_REVISION)
        last[indicator] = max(revision, last.get(indicator, NO_REVISION))
        is_first = revision == Revision(1)
        # What the directory does not say about a State, nobody of this State can supply.
        lacks_facts = any(
            each["fact"] in SUPPLIABLE for recipient in record.data["recipients"] for each in recipient["undecided"]
        )
        can_follow = not is_first or find_widest_outcome(record) != "WITHHOLD" or lacks_facts
        if can_follow and not is_overtaken:
            required[indicator, revision] += 1
    actual = Counter((str(record.data["indicator_id"]), get_revision(record)) for record in contents.drafts)
    for key in required.keys() | actual.keys():
        if required[key] != actual[key]:
            breach = Breach.LOST if actual[key] < required[key] else Breach.DUPLICATED
            yield Violation(breach, f"{actual[key]} drafts on {key}, {required[key]} are required")
    newest: dict[str, CommittedRecord] = {}
    for record in contents.drafts:
        item = contents.items.get(str(record.data["indicator_id"]), "")
        if item not in newest or get_revision(newest[item]) <= get_revision(record):
            newest[item] = record
    conversations = contents.index_conversations()
    for item, draft in newest.items():
        yield from _check_followed(item, draft, conversations.get(item))


def _check_followed(item: str, draft: CommittedRecord, kept: Conversation | None) -> Iterator[Violation]:
    """Check that the newest draft of an item is what its conversation is about."""
    revision = get_revision(draft)
    if kept is None or kept.revision != revision:
        known = "nothing" if kept is None else f"{kept.revision}"
        yield Violation(Breach.LOST, f"the conversation about {item} knows {known}, not {revision}", draft.at_ms)
        return
    for recipient in draft.data["recipients"]:
        state, outcome = str(recipient["state"]), str(recipient["outcome"])
        has_any = any(delivery.state == state for delivery in kept.deliveries.values())
        if outcome in OUTCOMES[:3] and not has_any:
            yield Violation(Breach.LOST, f"{item} {revision} for {state} ({outcome}) has no delivery", draft.at_ms)
