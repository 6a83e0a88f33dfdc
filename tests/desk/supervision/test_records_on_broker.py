"""What the supervisor's pages show is read from real topics, on an embedded broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sharing.audit.transfers import TransferKind
from sharing.console.connection import ConsoleConnection
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.desk.supervision import uses_view
from sharing.desk.supervision.figures import read_figures
from sharing.desk.supervision.log_state import read_log_state
from sharing.desk.supervision.refusals import RefusalRow, read_refusals
from sharing.desk.supervision.uses_view import read_uses_view
from sharing.kafka.use_log import UseContext, UseLog
from sharing.kafka.use_reader import read_uses
from sharing.model.times import DAY_MS
from sharing.rulings.ruling import Answering, AskReference, Ruling
from sharing.rulings.signing import sign_ruling
from sharing.rulings.vocabulary import RefusalGround
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CHECKPOINTS, CONVERSATIONS, DECISIONS, DIRECTORY, RULINGS, USES
from tests.audit.audited_bus import STATES, prepare_audited_bus
from tests.audit.clock_tsa import get_service
from tests.cli.conversation_bus import PARTITIONS, ConversationBus, Registered, now_ms
from tests.conversation.people import JUDGE, disclosed, held, withheld
from tests.kafka.topic_io import read_records, write_records
from tests.rulings.ruling_fixtures import KEY

TOPIC = RULINGS.topic("CH")


def refuse_call(*_: Any) -> Any:
    raise AssertionError("no command is run")


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[ConversationBus]:
    with EmbeddedBroker() as broker:
        made = ConversationBus(broker, refuse_call, tmp_path)
        made.create_topics()
        broker.create_topics([USES.topic("CH")], 1)
        made.officers[JUDGE.id] = Registered(JUDGE, (KEY.public_key,))
        yield made


def connect(broker: Any, **settings: Any) -> ConsoleConnection:
    return ConsoleConnection(Settings(**settings), "CH", broker.bootstrap, {}, SINGLE_OBJECT_FRAMING)


def refuse(bus: ConversationBus, item: str, story: Any, *, is_processed: bool) -> None:
    """Write the ruling that refuses an item, on two grounds, and let the worker act on it."""
    ask, now = story.find_ask(AskKind.APPROVE), now_ms()
    act = Answering(
        asks=(AskReference(ask=ask.id, nonce=ask.nonce, provider="CH", item=item, partition=0),),
        about=AskKind.APPROVE,
        recipients=tuple(sorted(ask.recipients)),
        answer=Answer.REFUSED,
        grounds=(RefusalGround.HUMAN_RIGHTS, RefusalGround.OWN_LAW),
        own_rule="ch.imac-2",
    )
    ruling = Ruling(state="CH", officer=JUDGE.id, signed_at=now, expires_at=now + 60_000, text="secret", act=act)
    bus.write(TOPIC, [sign_ruling(ruling, KEY)])
    if is_processed:
        bus.process(read_records(bus.broker, TOPIC, PARTITIONS)[-1])


def test_refusals_have_the_grounds_of_rulings_that_counted(bus: ConversationBus) -> None:
    bus.write(TOPIC, [b"no ruling"])
    first, first_story = bus.publish(1, held("DE"))
    second, second_story = bus.publish(2, held("DE"))
    refuse(bus, first, first_story, is_processed=True)
    refuse(bus, second, second_story, is_processed=False)  # nobody has acted on it: it counts for nothing
    view = read_refusals(connect(bus.broker))
    (row,) = view.counts
    assert row == RefusalRow(row.month, "CH", "DE", "APPROVE", "REFUSED", "HUMAN_RIGHTS, OWN_LAW: ch.imac-2")
    assert [(entry.item, entry.by) for entry in view.newest] == [(first, JUDGE.id)]
    assert "secret" not in repr(view)
    assert view.void == {}


def test_decisions_are_counted_from_the_logs(bus: ConversationBus) -> None:
    bus.publish(1, disclosed("DE"), withheld("IR"))
    bus.publish(2, disclosed("DE"), partition=1)
    rows = read_figures(connect(bus.broker)).rows
    assert {(row.state, row.kind): count for row, count in rows.items()} == {
        ("DE", TransferKind.SENT): 2, ("IR", TransferKind.WITHHELD): 1,
    }  # fmt: skip


def test_uses_of_the_last_month_are_read(bus: ConversationBus, monkeypatch: pytest.MonkeyPatch) -> None:
    log = UseLog(bus.broker.bootstrap, "CH", UseContext("anna", "", "desk"))
    log.note("n-1", "i-1", "DE", "ITEM")
    log.flush()
    asked: list[int | None] = []

    def read(bootstrap: str, state: str, group: str, since: int | None, *rest: Any, **named: Any) -> Any:
        asked.append(since)
        return read_uses(bootstrap, state, group, None, *rest, **named)  # the embedded broker finds no offset by time

    monkeypatch.setattr(uses_view, "read_uses", read)
    now = now_ms()
    view = read_uses_view(connect(bus.broker), now)
    assert [(each.context.reader, each.use.item_id) for each in view.newest] == [("anna", "i-1")]
    assert view.by_reader == (("anna", 1),)
    assert asked == [view.since] == [now - 30 * DAY_MS]
    assert view.unreadable == 0

    write_records(bus.broker, USES.topic("CH"), [b"no block of uses", None])
    view = read_uses_view(connect(bus.broker), now)
    assert [each.use.item_id for each in view.newest] == ["i-1"]
    assert view.unreadable == 2


def test_the_log_is_verified_against_its_checkpoints(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics([kind.topic("CH") for kind in (DECISIONS, ACTS, CHECKPOINTS, CONVERSATIONS)], 2)
        broker.create_topics([DIRECTORY.topic(state) for state in STATES], 1)
        audited = prepare_audited_bus(broker, tmp_path / "log", 0, 6, 4)
        state = read_log_state(connect(broker, trust_file=audited.trust_file), now_ms())
        assert state.is_ok, state.document["findings"]
        assert state.has_roots
        assert state.document["witnessed"] == state.document["records"] == 48
        assert set(state.witnessed_at) == {"ch.sharing/decisions/0", "ch.sharing/acts/0"}
        assert state.checkpoints["ch.sharing/decisions/0"].blocks == 6
        assert state.seen == ()
        assert (state.verifies_stamps, state.stamped, state.stamped_at) == (False, 0, {})
        roots = tmp_path / "roots.pem"
        roots.write_bytes(get_service().root.public_bytes(Encoding.PEM))
        audited.stamp(audited.acts)
        stamped = read_log_state(connect(broker, trust_file=audited.trust_file, time_stamp_roots=roots), now_ms())
        assert stamped.is_ok, stamped.document["findings"]
        assert set(stamped.stamped_at) == {"ch.sharing/acts/0"}
        (acts,) = (log for log in stamped.document["logs"] if log["log"] == "ch.sharing/acts/0")
        assert acts["stamped_blocks"] == 6
        unpinned = read_log_state(connect(broker), now_ms())
        assert (unpinned.has_roots, unpinned.document["witnessed"], unpinned.checkpoints) == (False, 0, {})
