"""The content of received items: from delivery until recall, end of time, or shredding; recorded before it is shown."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sharing.clients.inbox_reader import InboxReader
from sharing.console.received_items import find_received_item
from sharing.conversation.received_events import NoticeReceived
from sharing.conversation.revision import Revision
from sharing.conversation_state.entries import encode_received
from sharing.conversation_state.item_keys import make_received_key
from sharing.desk.contents.access import HiddenReason
from sharing.desk.contents.desk_contents import ContentView, DeskContents
from sharing.desk.contents.inbox_watch import InboxWatch
from sharing.desk.contents.view_recorder import ViewRecorder
from sharing.desk.desk_figures import DeskFigures
from sharing.desk.topic_check import TopicCheck
from sharing.errors import InfrastructureError, SharingError
from sharing.kafka.topic_follower import Place
from sharing.kafka.use_log import Use
from sharing.keystore.private_key import generate_key
from sharing.model.times import DAY_MS, from_milliseconds
from sharing.model.vocabulary import NoticeKind, Urgency
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import CONVERSATIONS, INBOX
from sharing.trust.public_keys import KeyAlgorithm
from tests.cli.test_inbox import ReceivingState
from tests.conversation.test_receiver import Inbox
from tests.desk.contents.content_world import (
    VALUE,
    ContentWorld,
    open_world,
    wait_for_inbox,
    without_settings,
)
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.topic_io import write_records
from tests.rulings.ruling_fixtures import make_id
from tests.support.waiting import TIMEOUT_S, wait_until


class Received:
    """A State with an inbox, and its desk."""

    def __init__(self, world: ContentWorld, sender: ReceivingState) -> None:
        self.world, self.sender = world, sender

    def put(self, **changes: object) -> dict[str, object]:
        """Deliver a notice, and wait until the desk knows it."""
        record = self.sender.put_notice(**changes)  # type: ignore[arg-type]
        wait_for_inbox(self.world, str(record["id"]))
        return record

    def keep(self, item: str, *events: object, **changes: object) -> None:
        """Keep what the worker knows about an item of CH."""
        received = replace(Inbox(*events).received, item=item, from_state="CH", state=self.world.state, **changes)  # type: ignore[arg-type]
        topic = CONVERSATIONS.topic(self.world.state)
        write_records(self.world.bus.broker, topic, [encode_received(received)], key=make_received_key("CH", item))

    def look(self, item: object, officer_id: str = "anna", **changes: object) -> ContentView:
        place = find_received_item(self.world.console, "CH", str(item))
        return self.world.contents.show_received(self.world.officer(officer_id, **changes), "CH", str(item), place)


@pytest.fixture(scope="module")
def de(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Received]:
    with pytest.MonkeyPatch.context() as patch, EmbeddedBroker() as broker:
        without_settings(patch)
        patch.setattr("sharing.keystore.encryption.SCRYPT_LOG_N", 10)
        folder: Path = tmp_path_factory.mktemp("received")
        sender = ReceivingState(broker, "DE", folder, patch)
        with open_world(broker, folder, "DE") as world:
            yield Received(world, sender)


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No content is in any log, whatever a test does."""
    with caplog.at_level(logging.DEBUG):
        yield
    assert VALUE not in caplog.text
    assert "hidden.example.org" not in caplog.text


def test_a_delivered_item_is_shown_to_officers_of_the_state_and_recorded(de: Received) -> None:
    notice = de.put()
    view = de.look(notice["item_id"])
    assert view.content is not None
    assert view.content.fields["value"] == "hidden.example.org"
    assert view.content.relevance == (("NEXUS", "hosted there"),)
    assert view.terms is not None
    assert [condition.code for condition in view.terms.conditions] == ["H2"]
    (use,) = [each for each in de.world.list_uses() if each.use.item_id == notice["item_id"]]
    key_id = de.sender.key.public_key.key_id
    assert (use.context.reader, use.context.reader_key, use.context.command) == ("anna", key_id, "desk")
    assert (use.use.id, use.use.from_state, use.use.kind) == (notice["id"], "CH", "ITEM")
    assert "hidden.example.org" not in repr(view)
    assert de.look(notice["item_id"], state="FR").reason is HiddenReason.NOT_AN_OFFICER


def test_an_offer_is_no_delivery(de: Received) -> None:
    offer = de.sender.put_offer(make_id(71), make_id(72))
    wait_for_inbox(de.world, offer["id"])
    view = de.look(make_id(71))
    assert (view.content, view.reason) == (None, HiddenReason.NOT_DELIVERED)
    assert view.terms is not None
    assert (view.terms.category, view.terms.kind) == ("FINANCE", "OFFER")


def test_a_recalled_item_is_hidden_whether_the_worker_or_the_inbox_says_so(de: Received) -> None:
    first, second = de.put(), de.put()
    recalled = NoticeReceived(Revision(1), NoticeKind.RECALL, Urgency.ORDINARY, make_id(9))
    de.keep(str(first["item_id"]), recalled)
    view = de.look(first["item_id"])
    assert (view.content, view.reason) == (None, HiddenReason.RECALLED)
    assert view.terms is not None
    de.put(item_id=second["item_id"], kind="RECALL")
    assert de.look(second["item_id"]).reason is HiddenReason.RECALLED
    later = de.put(item_id=second["item_id"], version=2)
    assert de.look(later["item_id"]).content is not None


def test_an_item_whose_time_is_over_is_hidden(de: Received) -> None:
    over = from_milliseconds(de.world.clock.now - 1)
    assert de.look(de.put(retain_until=over)["item_id"]).reason is HiddenReason.EXPIRED
    kept = de.put(retain_until=from_milliseconds(de.world.clock.now + DAY_MS))
    assert de.look(kept["item_id"]).content is not None
    de.keep(str(kept["item_id"]), retain_until=de.world.clock.now)
    assert de.look(kept["item_id"]).reason is HiddenReason.EXPIRED


def test_a_shredded_item_is_hidden(de: Received) -> None:
    notice = de.put()
    de.keep(str(notice["item_id"]), revision=Revision(1))
    topic = INBOX.topic(de.world.state)
    write_records(de.world.bus.broker, topic, [None], key=str(notice["id"]).encode())
    wait_until(lambda: de.world.contents.inbox.find(str(notice["id"])) is None, "the deletion was read")
    assert de.look(notice["item_id"]).reason is HiddenReason.SHREDDED


def test_an_older_revision_is_not_shown_in_the_place_of_a_newer_one_that_cannot_be_read(de: Received) -> None:
    notice = de.put()
    de.keep(str(notice["item_id"]), revision=Revision(2))
    assert de.look(notice["item_id"]).reason is HiddenReason.NOT_OPENED


def test_what_is_sealed_for_another_reader_is_counted_and_not_shown(de: Received) -> None:
    before = len(de.world.contents.inbox.list_unreadable())
    other = generate_key(de.world.state, "reader", KeyAlgorithm.X25519)
    notice = de.sender.put_notice(reader=other)
    wait_until(lambda: len(de.world.contents.inbox.list_unreadable()) == before + 1, "the message was read")
    assert de.look(notice["item_id"]).reason is HiddenReason.NOT_DELIVERED


def test_a_view_that_cannot_be_recorded_is_not_shown(de: Received) -> None:
    notice = de.put()

    class Broken:
        def record(self, uses: list[Use], reader: str | None = None) -> None:
            raise InfrastructureError("the broker did not confirm it")

    contents = de.world.contents
    figures = DeskFigures()
    before, contents._recorder = contents._recorder, ViewRecorder(lambda _: Broken(), figures.note_unrecorded)
    try:
        view = de.look(notice["item_id"])
    finally:
        contents._recorder = before
    assert (view.content, view.reason, view.notice) == (None, HiddenReason.NOT_RECORDED, None)
    assert figures.unrecorded == 1


def test_an_inbox_that_is_read_again_stays_listed_and_opens_nothing_until_it_is_read(
    de: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage it is read from its beginning; an officer must not see an empty list meanwhile."""
    notice, contents = de.put(), de.world.contents
    listed = contents.inbox.list_rows()
    may_read, has_failed, read_all = threading.Event(), threading.Event(), InboxWatch._read_all

    def read_later(watch: InboxWatch, reader: InboxReader) -> dict[Place, int]:
        if not has_failed.is_set():
            has_failed.set()
            raise InfrastructureError("the broker is away again")
        assert may_read.wait(TIMEOUT_S)
        return read_all(watch, reader)

    def check(*_: object) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(InboxWatch, "_read_all", read_later)
        raise InfrastructureError("the broker was away")

    monkeypatch.setattr(TopicCheck, "check", check)
    wait_until(has_failed.is_set, "the inbox is read again")
    assert not contents.inbox.is_read
    assert contents.inbox.list_rows() == listed
    assert de.look(notice["item_id"]).reason is HiddenReason.NOT_READ_YET
    may_read.set()
    wait_until(lambda: contents.inbox.is_read, "the inbox was read again")
    assert contents.inbox.list_rows() == listed
    assert de.look(notice["item_id"]).content is not None


def test_a_batch_that_cannot_be_read_is_counted_and_what_follows_is_listed(de: Received) -> None:
    inbox = de.world.contents.inbox
    before = len(inbox.list_unreadable())
    write_bomb(de.world.bus.broker, INBOX.topic(de.world.state), 40)
    wait_until(lambda: len(inbox.list_unreadable()) == before + 1, "the damaged batch was found")
    assert not inbox.is_complete, "an item that is not listed may be in it"
    notice = de.put()
    assert de.look(notice["item_id"]).content is not None
    with closing(DeskContents.open(de.world.console, de.world.clock.read)) as again:  # it reads from the beginning
        again.start()
        wait_until(lambda: again.inbox.is_read, "the inbox was read")
        assert len(again.inbox.list_unreadable()) == before + 1
        assert not again.inbox.is_complete
        assert again.inbox.has_item("CH", str(notice["item_id"]))


def test_the_list_has_no_content_and_newest_first(de: Received) -> None:
    first, second = de.put(), de.put(urgency="URGENT")
    rows = de.world.contents.inbox.list_rows()
    ids = [row.id for row, _ in rows]
    assert ids.index(str(second["id"])) < ids.index(str(first["id"]))
    assert "hidden.example.org" not in repr(rows)
    assert de.world.contents.inbox.list_items(str(first["item_id"])) == [("CH", first["item_id"])]


def test_without_a_readers_key_the_inbox_stays_closed(
    tmp_path_factory: pytest.TempPathFactory, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    without_settings(monkeypatch)
    with open_world(embedded, tmp_path_factory.mktemp("none"), state) as world:
        assert world.contents.get_inbox_reader() is None
        view = world.contents.show_received(world.officer("anna"), "CH", make_id(1), None)
        assert (view.content, view.reason) == (None, HiddenReason.NO_READER_KEY)


def test_a_readers_key_that_cannot_be_used_is_said_when_the_desk_starts(de: Received, tmp_path: Path) -> None:
    console = de.world.console
    secret = tmp_path / "wrong.pass"
    secret.write_text("another passphrase")
    secret.chmod(0o600)
    for changes, words in (
        ({"reader_passphrase_file": secret}, "passphrase"),
        ({"trust_file": None}, "SHARING_TRUST_FILE is not"),
    ):
        settings = console.settings.model_copy(update=changes)
        contents = DeskContents.open(replace(console, settings=settings), de.world.clock.read)
        with pytest.raises(SharingError, match=words):
            contents.start()
        contents.close()
