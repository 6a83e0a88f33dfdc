"""Checks that a State's inbox has one item for each message that was sent to it, none for a forged one, and in order.

A message that is sent again, under another seal, is the same message: it has the same id. A genuine one may be refused
only because the key that signed it was revoked, or its sender is not trusted at that moment; then it is sent again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from sharing.conversation.revision import NO_REVISION, Revision
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.reply import ReplyKind
from sharing.topology.topics import INBOX_URGENT
from tests.faults.contents import CommittedRecord
from tests.faults.sealed.forgeries import REPLAYED
from tests.faults.sealed.inbox_acts import find_sent_key
from tests.faults.sealed.openings import InboxContents, InboxItem
from tests.faults.violations import Breach, Violation
from tests.faults.workload import MARKER

PERMITTED_CAUSES = frozenset({"REVOKED", "NOT_PINNED", "UNKNOWN_KEY"})
"""Causes for which a genuine message may be refused during a fault: it is sent again afterwards."""

Place = tuple[str, int, int]


def find_inbox_violations(state: str, contents: InboxContents) -> list[Violation]:
    """Return the violations in what a State's inbox has made of what arrived."""
    return [
        *_check_refusals(state, contents),
        *_check_items(state, contents),
        *_check_order(state, contents),
        *_check_content(state, contents),
        *_check_shredded(state, contents),
    ]


def list_refused_messages(contents: InboxContents) -> list[CommittedRecord]:
    """Return the genuine messages of which every copy was refused: they must be sent again."""
    present = {item.id for item in contents.items}
    return [
        record
        for records in contents.messages.values()
        for record in records
        if not record.poison
        and str(record.data["id"]) not in present
        # What arrives again of an item that was recalled is kept out again.
        and not _is_kept_out(contents, record)
    ]


def list_refused_replies(contents: InboxContents) -> list[CommittedRecord]:
    """Return the genuine answers, results and withdrawals that were refused."""
    places = set(map(_place_of, contents.refused))
    return [
        record
        for topic, records in contents.replies.items()
        for record in records
        if not record.poison
        and (topic, record.partition, record.offset) in places
        and record.data["kind"] in {ReplyKind.ANSWER, ReplyKind.RESULT, ReplyKind.WITHDRAWAL}
    ]


def _is_kept_out(contents: InboxContents, record: CommittedRecord) -> bool:
    """Return whether the State's conversation has kept a message out of the inbox: after a recall, or a later one."""
    data = record.data
    return find_sent_key(record)[:3] in contents.acts.blocked and data.get("kind") != NoticeKind.RECALL


def count_refusals(contents: InboxContents) -> Counter[str]:
    """Return the numbers of forged messages, of genuine ones by cause, and of count statements that were refused."""
    by_place = _index(contents)
    places = set(map(_place_of, contents.refused))
    accepted = {str(record.data.get("id")) for place, record in by_place.items() if place not in places}
    counts: Counter[str] = Counter()
    for refused in contents.refused:
        record = by_place.get(_place_of(refused))
        if record is None:
            counts["count statements refused"] += 1
        elif record.poison:  # what was replayed is refused only if its key was revoked since
            counts["replayed refused" if record.poison == REPLAYED else "forged refused"] += 1
        else:
            identity = str(record.data["id"])
            again = "sent again" if identity in accepted else "not sent again"
            counts[f"refused and {again}: {refused.data['cause']}"] += 1
    return counts


def _index(contents: InboxContents) -> dict[Place, CommittedRecord]:
    return {
        (topic, record.partition, record.offset): record
        for by_topic in (contents.messages, contents.replies)
        for topic, records in by_topic.items()
        for record in records
    }


def _place_of(refused: CommittedRecord) -> Place:
    return str(refused.data["topic"]), int(refused.data["partition"]), int(refused.data["offset"])


def _check_refusals(state: str, contents: InboxContents) -> Iterator[Violation]:
    """Check that what is forged is refused once, for the right cause, and that nothing else is without a cause."""
    by_place = _index(contents)
    counts = Counter(map(_place_of, contents.refused))
    for refused in contents.refused:
        place, cause = _place_of(refused), str(refused.data["cause"])
        name = f"{place[0]}[{place[1]}]@{place[2]}"
        record = by_place.get(place)
        if record is None and place in contents.counts and cause in PERMITTED_CAUSES:
            continue  # a count statement of a State that was not trusted at that moment
        if record is None:
            yield Violation(Breach.UNFOUNDED, f"{state} refused {name}, where there is no message", refused.at_ms)
        elif counts[place] > 1:
            yield Violation(Breach.DUPLICATED, f"{state} refused {name} more than once", refused.at_ms)
        elif not record.poison and cause not in PERMITTED_CAUSES:
            yield Violation(Breach.UNFOUNDED, f"{state} refused the genuine message {name} ({cause})", refused.at_ms)
        elif record.poison not in {"", REPLAYED} and cause not in record.poison.split("|"):
            yield Violation(
                Breach.UNFOUNDED, f"{state} refused {name} as {cause}, and not as {record.poison}", refused.at_ms
            )
        if MARKER.search(repr(dict(refused.data)).encode()):
            yield Violation(Breach.LEAKED, f"the quarantine of {name} contains content", refused.at_ms)
    for place, record in by_place.items():
        if record.poison not in {"", REPLAYED} and place not in counts:
            name = f"{place[0]}[{place[1]}]@{place[2]}"
            yield Violation(Breach.LOST, f"{name} ({record.poison}) was not refused by {state}", record.at_ms)


def _check_items(state: str, contents: InboxContents) -> Iterator[Violation]:
    genuine = _group_genuine(contents)
    # What a key has sealed that was revoked since is sealed again when it arrives again.
    counts = Counter(item.id for item in contents.items)
    counts -= Counter(item.id for item in contents.items if item.revoked and counts[item.id] > 1)
    superseded = find_superseded(contents)
    places = set(map(_place_of, contents.refused))
    accepted = {str(record.data.get("id")) for place, record in _index(contents).items() if place not in places}
    for identity, records in genuine.items():
        # What a conversation had sent is sent again on an order, which the law in force may forbid.
        is_gone = identity not in accepted and identity in contents.unrepeated
        is_kept_out = any(_is_kept_out(contents, record) for record in records)
        is_overtaken = identity not in accepted and identity in superseded
        if not counts[identity] and not is_overtaken and not is_gone and not is_kept_out:
            yield Violation(Breach.LOST, f"{identity} is not in the inbox of {state}", records[0].at_ms)
    for item in contents.items:
        if item.id not in genuine:
            yield Violation(Breach.LEAKED, f"{item.id} in the inbox of {state} is no genuine message", item.at_ms)
        elif counts[item.id] > 1 and not item.revoked:
            yield Violation(Breach.DUPLICATED, f"{item.id} is in the inbox of {state} more than once", item.at_ms)
        elif item.content not in {record.raw for record in genuine[item.id]}:
            yield Violation(Breach.UNFOUNDED, f"{item.id} in the inbox of {state} has another content", item.at_ms)
    for description in contents.unreadable:
        yield Violation(Breach.LOST, f"the reader of {state} cannot open {description}")


def _group_genuine(contents: InboxContents) -> dict[str, list[CommittedRecord]]:
    """Return the genuine messages by their id."""
    genuine: dict[str, list[CommittedRecord]] = defaultdict(list)
    for records in contents.messages.values():
        for record in records:
            if not record.poison:
                genuine[str(record.data["id"])].append(record)
    return genuine


def find_superseded(contents: InboxContents) -> AbstractSet[str]:
    """Return the ids of messages about a revision after which a later one was decided on: they are no longer sent."""
    return {
        identity
        for identity, (record, *_) in _group_genuine(contents).items()
        if Revision(int(record.data["version"]), int(record.data["amendment"]))
        < contents.newest.get((str(record.data["from_state"]), str(record.data["indicator_id"])), NO_REVISION)
    }


def _check_order(state: str, contents: InboxContents) -> Iterator[Violation]:
    """Check that the items of each topic and partition are in the order in which their messages were accepted."""
    refused = set(map(_place_of, contents.refused))
    present = {item.id for item in contents.items}
    items: dict[tuple[bool, int], list[InboxItem]] = defaultdict(list)
    first: set[str] = set()
    for item in contents.items:
        if item.id not in first:  # what was sealed again comes later, out of order
            items[item.topic.endswith(INBOX_URGENT.name), item.partition].append(item)
        first.add(item.id)
    for topic, records in contents.messages.items():
        accepted: dict[tuple[bool, int], list[str]] = defaultdict(list)
        seen: set[str] = set()
        for record in records:
            if record.poison or (topic, record.partition, record.offset) in refused:
                continue
            identity = str(record.data["id"])
            if identity in present and identity not in seen:
                seen.add(identity)
                accepted[record.data["urgency"] in URGENT_LEVELS, record.partition].append(identity)
        for place, expected in accepted.items():
            known = set(expected)
            found = [item.id for item in items[place] if item.id in known]
            if found != expected:
                yield Violation(Breach.REORDERED, f"the inbox of {state}, partition {place[1]}: not as in {topic}")


def _check_content(state: str, contents: InboxContents) -> Iterator[Violation]:
    """Check that no content stands in clear in the inbox, or in what was sent."""
    for item in contents.items:
        if MARKER.search(item.sealed):
            yield Violation(Breach.LEAKED, f"content of {item.id} in the inbox of {state} is not sealed", item.at_ms)


def _check_shredded(state: str, contents: InboxContents) -> Iterator[Violation]:
    """Check that exactly those messages were deleted whose recall was acknowledged."""
    present = {item.id for item in contents.items}
    for identity, (record, *_) in _group_genuine(contents).items():
        provider, item, revision, *_rest = find_sent_key(record)
        up_to = contents.acts.shredded.get((provider, item), NO_REVISION)
        must_go = identity in present and revision <= up_to and record.data.get("kind") != NoticeKind.RECALL
        if must_go and identity not in contents.shredded:
            yield Violation(Breach.LEAKED, f"{identity} is in the inbox of {state} after its recall", record.at_ms)
        elif not must_go and identity in contents.shredded:
            yield Violation(Breach.LOST, f"{identity} was deleted from the inbox of {state}", record.at_ms)
