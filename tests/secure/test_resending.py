"""The procedure after a gate key was revoked: refused, replaced, sent again, and received once each.

A command sends again what the gate had sent; an officer orders the same for what the conversation had sent.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sharing.ids import make_item_id, make_notice_id
from sharing.model.times import format_time
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind
from sharing.topology.topics import DECISIONS, INDICATORS
from sharing.trust.public_keys import KeyRole
from tests.kafka.topic_io import read_records
from tests.secure.secure_bus import PARTITIONS, SecureBus, make_item
from tests.secure.secure_officers import SecureOfficers
from tests.secure.secure_states import run_sharing
from tests.secure.test_key_changes_under_load import (
    list_key_ids,
    list_refused,
    list_sealed,
    publish,
    publish_keys,
)
from tests.support.audit_entries import list_entries
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

ITEMS = 12
OFFICER = "resender"


def notice_id(item: dict[str, Any], version: int = 1) -> str:
    return make_notice_id("CH", "agency", str(item["id"]), version, "DE")


def read_arrival_ms(bus: SecureBus, item: dict[str, Any]) -> int:
    """Return when an indicator arrived, by the broker's clock."""
    messages = read_records(bus.broker, INDICATORS.topic("CH"), PARTITIONS)
    (found,) = (message.timestamp()[1] for message in messages if message.key() == str(item["id"]).encode())
    return int(found)


def count_decisions(bus: SecureBus, items: list[dict[str, Any]]) -> Counter[str]:
    """Return how often CH's gate has decided on each of these items."""
    messages = read_records(bus.broker, DECISIONS.topic("CH"), PARTITIONS)
    decided = Counter(str(decision["indicator_id"]) for decision in list_entries(messages))
    return Counter({item["id"]: decided[item["id"]] for item in items})


def resend(bus: SecureBus, since_ms: int, *options: str) -> Any:
    where = ("--folder", bus.states["CH"].keys.path, "--bootstrap", bus.bootstrap)
    return run_sharing("keys", "resend", "--state", "CH", "--since", format_time(since_ms), *where, *options)


def send_again(officers: SecureOfficers, item: dict[str, Any]) -> None:
    """Let an officer of CH order to send again what was sent about an item."""
    item_id = make_item_id("CH", "agency", str(item["id"]))
    (partition,) = [entry.partition for entry in officers.list_entries() if entry.item == item_id]
    act = Opening(opens=OpeningKind.RESEND, provider="CH", item=item_id, partition=partition)
    officers.rule(OFFICER, act, partition)


def test_what_a_revocation_let_others_refuse_is_sent_again_under_the_new_key(secure_bus: SecureBus) -> None:
    bus, ch = secure_bus, secure_bus.states["CH"]
    officers = SecureOfficers(bus, "CH")
    officers.enter(OFFICER)
    old = list_key_ids(bus, "CH", KeyRole.GATE)[-1]
    ch.rotate(KeyRole.GATE)
    publish_keys(bus, "CH")
    received = make_item("CH", "DE", "resent though received")
    publish(bus, [received])
    wait_until(lambda: notice_id(received) in bus.list_item_ids("DE"), "DE has the first item")
    since_ms = read_arrival_ms(bus, received)
    refused = [make_item("CH", "DE", f"resent {number}") for number in range(ITEMS)]
    corrected = make_item("CH", "DE", "resent, corrected")
    correction = {**corrected, "version": 2, "summary": "canary-summary of a correction"}
    of_gate, of_conversation = {*map(notice_id, refused)}, notice_id(correction, 2)
    expected = {*of_gate, of_conversation}
    worker = bus.workers["DE"]
    assert worker.stop() == 0, worker.read_log_tail()
    try:
        publish(bus, [*refused, corrected])
        publish(bus, [correction])
        wait_until(
            lambda: expected <= {record.envelope.id for record in list_sealed(bus, "DE")}, "CH's worker has sent them"
        )
        before = list_refused(bus)
        ch.revoke(old)
        publish_keys(bus, "CH")
    finally:
        worker.start()
    sent = len(expected) + 1  # and the first version of the one that was corrected
    wait_until(lambda: len(list_refused(bus)) >= len(before) + sent, "DE has refused them")
    assert {entry["cause"] for entry in list_refused(bus) if entry not in before} == {"REVOKED"}
    assert not expected & set(bus.list_item_ids("DE"))

    counted = resend(bus, since_ms, "--dry-run")
    assert counted["written"] == ITEMS + 3
    everyone = [received, *refused]
    assert set(count_decisions(bus, everyone).values()) == {1}, "nothing was written yet"
    result = resend(bus, since_ms)
    assert (result["written"], result["continued"], result["not_openable"]) == (ITEMS + 3, False, {})

    wait_until(lambda: of_gate <= set(bus.list_item_ids("DE")), "what the gate had sent arrives under the new key")
    wait_until(lambda: set(count_decisions(bus, everyone).values()) == {2}, "the gate has decided again on each")
    both_twice = {corrected["id"]: 4}
    wait_until(lambda: count_decisions(bus, [corrected]) == both_twice, "it has decided on both versions, twice")
    again = resend(bus, since_ms)
    assert (again["written"], again["continued"]) == (0, True)
    assert of_conversation not in bus.list_item_ids("DE")
    send_again(officers, corrected)
    wait_until(lambda: of_conversation in bus.list_item_ids("DE"), "so does what the conversation had sent")
    present = Counter(bus.list_item_ids("DE"))
    assert {present[identity] for identity in {*expected, notice_id(received)}} == {1}
    assert not present[notice_id(corrected)], "the gate withholds the version that was replaced"
    handed_over = Counter(notice.id for notice in bus.receive("DE", "resent"))
    assert {handed_over[identity] for identity in {*expected, notice_id(received)}} == {1}
    assert set(count_decisions(bus, everyone).values()) == {2}
