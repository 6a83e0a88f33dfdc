"""Two States with keys, each with a worker: what one publishes, the reader of the other receives, and nobody else."""

from __future__ import annotations

import pytest

from sharing.ids import make_notice_id
from tests.secure.secure_bus import SecureBus, make_item

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]


@pytest.mark.parametrize(("state", "partner"), [("CH", "DE"), ("DE", "CH")])
def test_a_sealed_indicator_reaches_the_reader_of_the_other_state(
    secure_bus: SecureBus, state: str, partner: str
) -> None:
    refused = len(secure_bus.read_quarantine(partner))
    items = [make_item(state, partner, f"end to end {urgency}", urgency=urgency) for urgency in ("ORDINARY", "URGENT")]
    with secure_bus.open_publisher(state) as publisher:
        for item in items:
            publisher.publish(item)
    expected = {make_notice_id(state, "agency", item["id"], 1, partner) for item in items}
    worker = secure_bus.workers[partner]
    worker.wait_until(lambda: expected <= set(secure_bus.list_item_ids(partner)), poll_s=0.2)
    received = [notice for notice in secure_bus.receive(partner, "end-to-end") if notice.id in expected]
    assert {notice.id for notice in received} == expected
    assert len(received) == len(expected)
    for notice in received:
        assert notice.from_state == state
        assert notice.content["value"] == items[0]["value"]
        assert notice.content["summary"].startswith("canary-summary")
        assert [condition.text for condition in notice.conditions] == ["Only canary-condition."]
    urgent = [notice.urgency for notice in received]
    assert sorted(urgent) == ["ORDINARY", "URGENT"]
    assert len(secure_bus.read_quarantine(partner)) == refused
