"""Where the inbox's keys come from, what it counts, and what its readiness says."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mode import Service

from processors.agents.conversation_agent import ConversationAgent
from processors.agents.inbox_keys import InboxKeySource
from processors.exactly_once.batch import Batch
from processors.faust_app import create_app
from processors.health.clock_check import BrokerTime, ClockError
from processors.health.consumer_status import ConsumerStatus
from processors.health.conversation_observer import ConversationObserver
from processors.health.http_endpoints import HttpEndpoints
from processors.health.inbox_observer import InboxObserver
from processors.inbox.inbox_result import InboxResult
from processors.worker.conversation_composition import (
    WorkerParts,
    add_conversation,
    make_conversation_config,
    open_conversation_loop,
)
from processors.worker.own_keys import open_own_keys
from sharing.errors import InputError, SettingsError, SharingError
from sharing.seal.sequences import StreamId
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.telemetry.metrics import REGISTRY
from sharing.topology.acls import Principal, covers_resource, make_acl_rules
from sharing.topology.topic_kinds import Role
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from tests.processors.exactly_once.copy_pipeline import make_loop_config
from tests.processors.gate.gate_fixtures import DAY_MS, LAW
from tests.processors.health.health_fixtures import SampleGrowth
from tests.processors.inbox.inbox_fixtures import FakeInbox, FakeState, make_reader
from tests.processors.inbox.inbox_worker import FakeSender, make_sources
from tests.trust.trust_fixtures import NOW

CH, DE = FakeState("CH"), FakeState("DE")
UNUSABLE = PublishedKey(algorithm=KeyAlgorithm.X25519, public="00" * 32)


def make_source(readers: tuple[PublishedKey, ...], trusted: Any) -> InboxKeySource:
    online = SimpleNamespace(
        get_signing_key=lambda role, now: DE.gate_key,
        get_opening_keys=lambda now: DE.opening,
        get_readers=lambda now: readers,
        get_newest_keys=lambda now: DE.trusted,
    )
    return InboxKeySource("DE", cast("Any", online), lambda: trusted)


def test_the_keys_are_those_of_the_folder_and_of_the_directory() -> None:
    readers = (make_reader().public_key,)
    keys = make_source(readers, {"CH": CH.trusted}).collect_keys(NOW)
    assert (keys.readers, keys.signing, dict(keys.trusted)) == (readers, DE.gate_key, {"CH": CH.trusted})
    assert keys.opening.keys() == DE.opening.keys()
    assert keys.revoked == frozenset()


@pytest.mark.parametrize(
    ("readers", "trusted", "message"),
    [
        ((), {"CH": CH.trusted}, "the list of readers must name"),
        ((UNUSABLE,), {"CH": CH.trusted}, "nothing can be sealed to its key"),
        ((make_reader().public_key,), {}, "no State's keys are trusted"),
    ],
)
def test_what_is_missing_is_one_sentence(readers: tuple[PublishedKey, ...], trusted: Any, message: str) -> None:
    with pytest.raises(SharingError, match=message):
        make_source(readers, trusted).collect_keys(NOW)


def test_each_record_is_counted_and_each_finding_logged_without_content(caplog: pytest.LogCaptureFixture) -> None:
    ch, fr = FakeState("CH"), FakeState("FR")
    inbox = FakeInbox(DE, [ch, fr])
    sealed = ch.seal([ch.make_message("DE") for _ in range(4)], [DE])
    forged = FakeState("CH")
    forged.gate_key = fr.gate_key
    result = inbox.receive(
        sealed[0], sealed[0], sealed[2], sealed[1], *forged.seal([forged.make_message("DE")], [DE]), ch.count("DE")
    )
    growth = SampleGrowth()
    observer = InboxObserver(ConsumerStatus(is_main=False))
    with caplog.at_level(logging.INFO):
        observer.start_batch(Batch([cast("Any", None)] * 6, NOW, {}), result)(True)
    outcomes = {"OPENED": 3, "REPEATED": 1, "COUNTED": 1, "REFUSED": 1}
    for outcome, number in outcomes.items():
        assert growth.get("sharing_inbox_records_total", outcome=outcome) == number
    assert growth.get("sharing_inbox_read_total") == sum(outcomes.values())
    assert growth.get("sharing_inbox_refused_total", cause="UNKNOWN_KEY", sender="CH") == 1
    assert growth.get("sharing_inbox_missing_total") == 2
    assert growth.get("sharing_inbox_missing_by_sender_total", sender="CH") == 2
    assert growth.get("sharing_inbox_irregular_total", arrival="OUT_OF_ORDER") == 1
    assert "refused exchange.de.notices[0] offset 5: UNKNOWN_KEY, claims to be from CH" in caplog.text
    assert "missing: 1 messages of CH to notices[0], numbers 2 to 2, as a later message shows" in caplog.text
    assert "numbers 4 to 4, as its count statement shows" in caplog.text
    assert "MARKER" not in caplog.text


def test_an_aborted_batch_is_not_counted() -> None:
    growth = SampleGrowth()
    InboxObserver(ConsumerStatus(is_main=False)).start_batch(Batch([], NOW, {}), InboxResult())(False)
    assert growth.get("sharing_transaction_aborts_total") == 1
    assert growth.get("sharing_inbox_read_total") == 0


def test_an_overdue_statement_is_shown_until_it_comes() -> None:
    observer = InboxObserver(ConsumerStatus(is_main=False))
    stream = StreamId("IS", "gate", 0, "notices")
    for overdue, shown in (([stream], 1), ([stream], 1), ([], 0)):
        observer.start_batch(Batch([], NOW, {}), InboxResult(overdue=overdue))(True)
        assert REGISTRY.get_sample_value("sharing_inbox_counts_overdue", {"sender": "IS"}) == shown


def test_a_worker_is_not_ready_while_its_inbox_waits() -> None:
    endpoints = HttpEndpoints(*[cast("Any", None)] * 6)
    assert endpoints._check_inbox() == (True, "none: this process runs no conversation")
    endpoints.find_inbox_problem = lambda: "no list of readers"
    assert endpoints._check_inbox() == (False, "waits: no list of readers")
    endpoints.find_inbox_problem = lambda: None
    assert endpoints._check_inbox().healthy


def test_the_loop_has_ids_and_topics_that_the_gates_rights_cover() -> None:
    group = "national.de.gate"
    gate = make_loop_config(
        bootstrap="nowhere:1", topics=["in"], group=group, instance=f"{group}.7", transactional_id=f"{group}.7"
    )
    config = make_conversation_config(gate, "DE", lambda: NOW)
    assert (config.group, config.instance, config.transactional_id) == (
        "national.de.gate.inbox",
        "national.de.gate.inbox.7",
        "national.de.gate.inbox.7",
    )
    assert config.topics == (
        "exchange.de.urgent", "exchange.de.replies", "exchange.de.notices", "exchange.de.offers", "national.de.rulings",
        "national.de.drafts",
    )  # fmt: skip
    assert config.output_limits.get_batch_bytes("national.de.inbox.urgent") == 1_000_000
    assert config.output_limits.get_batch_bytes("exchange.fr.urgent") == 280_000
    rules = make_acl_rules(Principal(Role.GATE, "DE"))
    for name in (*config.topics, str(config.changelog_topic), config.group, config.transactional_id):
        assert any(covers_resource(rule, name) for rule in rules), name


def test_nothing_is_opened_under_a_wrong_clock_and_the_reason_is_scraped() -> None:
    """Every message would count as too old or not yet valid, and be refused for good."""
    calls: list[str] = []

    async def call(name: str, *_: Any) -> None:
        calls.append(name)

    async def check_clock(batch: Batch) -> None:
        calls.append(f"clock {batch.now_ms}")
        raise ClockError("the clock is wrong")

    owner = FakeInbox(DE, [CH])
    agent = ConversationAgent(
        "DE",
        cast("Any", SimpleNamespace(commit_batch=partial(call, "commit"))),
        make_sources(
            owner,
            lambda: NOW,
            make_source((make_reader().public_key,), {"CH": CH.trusted}).collect_keys,
            directory=SimpleNamespace(get_snapshot=partial(call, "directory")),
            sealing=SimpleNamespace(begin_batch=lambda batch, directory: None),
        ),
        cast("Any", None),
        ConversationObserver(ConsumerStatus(is_main=False)),
        lambda: NOW,
        check_clock,
        cast("Any", SimpleNamespace(await_scrape=partial(call, "scrape"))),
    )
    with pytest.raises(ClockError):
        asyncio.run(agent._process_batch(Batch([], NOW - 1, {})))
    assert calls == ["directory", f"clock {NOW}", "scrape"]


@pytest.mark.parametrize(
    ("ahead_ms", "problem"), [(0, None), (31 * DAY_MS, "31 days ahead"), (-31 * DAY_MS, "30 days behind")]
)
def test_the_clock_of_an_inbox_is_compared_with_the_brokers(ahead_ms: int, problem: str | None) -> None:
    waited: list[bool] = []

    async def wait_until_read() -> None:
        waited.append(True)

    broker_clock = SimpleNamespace(
        get_time=lambda: BrokerTime(NOW - ahead_ms - 60_000, 60_000), wait_until_read=wait_until_read
    )

    async def check() -> None:
        parts = WorkerParts(
            create_app("inbox-test"),
            make_loop_config(bootstrap="nowhere:1", topics=["in"], group="g", instance="g.0", transactional_id="g.0"),
            lambda: NOW,
            cast("Any", broker_clock),
            lambda: LAW,
            SINGLE_OBJECT_FRAMING,
        )
        endpoints = HttpEndpoints(*[cast("Any", None)] * 6)
        sources = make_sources(FakeInbox(DE, [CH]), lambda: NOW, lambda _: None, officers=Service())
        opened = open_conversation_loop(parts, "DE", is_main=False)
        agent = add_conversation(parts, "DE", opened, endpoints, sources, FakeSender())
        await agent._check_clock(Batch([], NOW, {}))

    with pytest.raises(ClockError, match=problem) if problem else nullcontext():
        asyncio.run(check())
    assert waited == [True]


@pytest.mark.parametrize("has_folder", [False, True])
def test_each_worker_copies_its_conversations_to_disk_if_it_has_a_folder(has_folder: bool, tmp_path: Path) -> None:
    folder = tmp_path if has_folder else None

    async def find_folder(worker: str) -> Path | None:
        parts = WorkerParts(
            create_app("inbox-test"),
            make_loop_config(bootstrap="nowhere:1", topics=["in"], group="g", instance=worker, transactional_id=worker),
            lambda: NOW,
            cast("Any", SimpleNamespace(get_time=lambda: None)),
            lambda: LAW,
            SINGLE_OBJECT_FRAMING,
            state_folder=folder,
        )
        return open_conversation_loop(parts, "DE", is_main=False).loop.config.state_folder

    found = {asyncio.run(find_folder(worker)) for worker in ("g.0", "g.1")}
    if folder is None:
        assert found == {None}
    else:
        assert found == {folder / "conversations" / "g.inbox.0", folder / "conversations" / "g.inbox.1"}


def test_a_worker_is_not_ready_while_the_register_of_officers_cannot_be_read() -> None:
    officers, endpoints = Service(), HttpEndpoints(*[cast("Any", None)] * 6)
    cast("Any", officers).problem = None

    async def check() -> list[Any]:
        parts = WorkerParts(
            create_app("inbox-test"),
            make_loop_config(bootstrap="nowhere:1", topics=["in"], group="g", instance="g.0", transactional_id="g.0"),
            lambda: NOW,
            cast("Any", SimpleNamespace(get_time=lambda: None)),
            lambda: LAW,
            SINGLE_OBJECT_FRAMING,
        )
        sources = make_sources(FakeInbox(DE, [CH]), lambda: NOW, lambda _: None, officers=officers)
        opened = open_conversation_loop(parts, "DE", is_main=False)
        agent = add_conversation(parts, "DE", opened, endpoints, sources, FakeSender())
        seen = [endpoints._check_inbox()]
        agent.waits_for = None
        seen.append(endpoints._check_inbox())
        cast("Any", officers).problem = "the topic of officers does not exist"
        seen.append(endpoints._check_inbox())
        agent._observer.mark_broken()
        return [*seen, endpoints._check_inbox()]

    first, ready, waiting, broken = asyncio.run(check())
    assert first == (False, "waits: the directory has not been read yet")
    assert ready.healthy
    assert waiting == (False, "waits: the topic of officers does not exist")
    assert broken == (False, "waits: a batch is not conserved")


def test_without_trust_or_keys_there_is_no_inbox(tmp_path: Any) -> None:
    assert open_own_keys(Settings()) is None
    for half in ({"trust_file": tmp_path / "trust.yaml"}, {"key_folder": tmp_path}):
        with pytest.raises(SettingsError, match="is not set"):
            open_own_keys(Settings(**half))
    both = Settings(key_folder=tmp_path, trust_file=tmp_path / "trust.yaml")
    with pytest.raises(SettingsError, match="does not exist, so no State is trusted"):
        open_own_keys(both)
    (tmp_path / "trust.yaml").touch()
    assert open_own_keys(both) is not None
    with pytest.raises(InputError, match="missing"):
        open_own_keys(both.model_copy(update={"key_passphrase_file": tmp_path / "missing"}))
