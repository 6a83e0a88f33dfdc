"""The gate and the conversation of a State in processes of their own: they share topics and keys, and nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sharing.conversation.vocabulary import Answer, AskKind
from sharing.ids import make_item_id, make_notice_id
from sharing.rulings.act import ActKind
from sharing.testing.broker.process import find_free_port
from tests.secure.secure_bus import SecureBus, make_item
from tests.secure.secure_officers import SecureOfficers
from tests.secure.test_conversation import OFFERED

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

OFFICER = "separate"


def test_an_offer_is_accepted_although_the_loops_of_its_state_run_apart(secure_bus: SecureBus, tmp_path: Path) -> None:
    bus, de = secure_bus, SecureOfficers(secure_bus, "DE")
    de.enter(OFFICER)
    bus.workers["CH"].stop()
    try:
        with (
            bus.make_worker("CH", name="gate-alone", loops="gate") as gate,
            bus.make_worker(
                "CH", name="conversation-alone", loops="conversation", web_port=str(find_free_port())
            ) as conversation,
        ):
            indicator = make_item("CH", "DE", "apart", **OFFERED)
            item = make_item_id("CH", "agency", indicator["id"])
            with bus.open_publisher("CH") as publisher:
                publisher.publish(indicator)
            entry, ask = de.await_ask(lambda entry, ask: entry.item == item and ask.kind is AskKind.ACCEPT)
            gate.kill()  # the answer needs the conversation alone
            de.answer(OFFICER, entry, ask, Answer.ACCEPTED, conditions_hash=entry.kept.conditions[ask.id])  # type: ignore[union-attr]
            notice = make_notice_id("CH", "agency", indicator["id"], 1, "DE")
            conversation.wait_until(lambda: bus.list_item_ids("DE").count(notice) == 1, poll_s=0.3)
            acts = Counter(act.kind for act in SecureOfficers(bus, "CH").list_acts(item))
            assert acts[ActKind.NOTICE_SENT] == 1
    finally:
        bus.workers["CH"].start()
        bus.workers["CH"].wait_until(lambda: bus.is_ready("CH"), poll_s=0.2)
