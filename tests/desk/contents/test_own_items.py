"""The content of own items: for whom, from which copy, and recorded before it is shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sharing.console.item_timeline import ItemPlace, locate_item
from sharing.conversation.asks import Officer
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.desk.contents.access import HiddenReason
from sharing.desk.contents.desk_contents import ContentView
from sharing.desk.contents.own_drafts import DraftSource
from sharing.desk.contents.view_recorder import ViewRecorder
from sharing.errors import InfrastructureError
from sharing.ids import make_draft_key, make_item_id
from sharing.kafka.key_partition import find_partition
from sharing.kafka.use_log import Use
from sharing.model.vocabulary import Authority
from sharing.officers.entry import OfficerEntry
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DRAFTS
from tests.cli.conversation_bus import PARTITIONS
from tests.conversation.people import ROLE, disclosed, held, offered
from tests.desk.contents.content_world import (
    VALUE,
    ContentWorld,
    FakeKeys,
    make_draft_of,
    open_world,
    seal,
    without_settings,
)
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.topic_io import write_records


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContentWorld]:
    with (
        pytest.MonkeyPatch.context() as patch,
        EmbeddedBroker() as broker,
    ):
        without_settings(patch)
        with open_world(broker, tmp_path_factory.mktemp("own"), keys=FakeKeys()) as made:
            yield made


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No content is in any log, whatever a test does."""
    with caplog.at_level(logging.DEBUG):
        yield
    assert VALUE not in caplog.text


def look(world: ContentWorld, officer: OfficerEntry, item: str) -> ContentView:
    return world.contents.show_own(officer, locate_item(world.console, item))


@pytest.mark.parametrize(
    ("number", "changes", "officer_id", "expected"),
    [
        pytest.param(1, {"roles": (ROLE,)}, "o-judge", None, id="the role that is asked"),
        pytest.param(2, {}, "o-clerk", HiddenReason.NOT_ADDRESSED, id="without the role"),
        pytest.param(3, {}, "o-publisher", None, id="who has published it, and may not approve it"),
        pytest.param(
            4, {"agency": "customs"}, "o-publisher", HiddenReason.NOT_ADDRESSED, id="an officer of another agency"
        ),
        pytest.param(5, {"state": "FR", "roles": (ROLE,)}, "o-judge", HiddenReason.NOT_AN_OFFICER, id="of France"),
    ],
)
def test_a_held_item_is_shown_to_those_whom_the_ask_addresses(
    world: ContentWorld, number: int, changes: dict[str, object], officer_id: str, expected: HiddenReason | None
) -> None:
    item, _ = world.publish(number, held("DE"))
    before = len(world.list_uses())
    view = look(world, world.officer(officer_id, **changes), item)
    assert view.reason is expected
    recorded = [each for each in world.list_uses()[before:] if each.use.item_id == item]
    if expected is not None:
        assert (view.content, recorded) == (None, [])
        return
    assert view.content is not None
    assert view.content.fields["value"] == VALUE
    (use,) = recorded
    assert (use.context.reader, use.context.command, use.use.kind) == (officer_id, "desk", "DRAFT")
    assert (use.use.from_state, use.use.at) == ("CH", world.clock.now)
    assert VALUE not in repr(view)


@pytest.mark.parametrize(
    ("authority", "expected"), [(Authority.COURT, None), (Authority.POLICE, HiddenReason.NOT_ADDRESSED)]
)
def test_an_ask_with_another_authority_addresses_its_officers_only(
    world: ContentWorld, authority: Authority, expected: HiddenReason | None
) -> None:
    item, story = world.publish(20, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    story.conversation = replace(story.conversation, asks={ask.id: ask.pass_on(Authority.COURT)})
    world.keep(item)
    assert look(world, world.officer("o-judge", roles=(ROLE,), authority=authority), item).reason is expected


def test_who_has_answered_and_an_ended_ask_address_nobody(world: ContentWorld) -> None:
    judge = world.officer("o-judge", roles=(ROLE,))
    item, story = world.publish(21, held("DE", needed=2))
    assert look(world, judge, item).reason is None
    story.rule(AskKind.APPROVE, Officer("o-judge", "fedpol", frozenset({ROLE})), Answer.APPROVED)
    world.keep(item)
    assert look(world, judge, item).reason is HiddenReason.NOT_ADDRESSED
    second = world.officer("o-second", roles=(ROLE,))
    assert look(world, second, item).reason is None
    story.rule(AskKind.APPROVE, Officer("o-second", "fedpol", frozenset({ROLE})), Answer.APPROVED)
    world.keep(item)
    assert look(world, second, item).reason is HiddenReason.NOT_ADDRESSED


def test_an_ask_to_people_of_another_state_addresses_nobody_here(world: ContentWorld) -> None:
    item, _ = world.publish(22, offered("DE", "c.one"))
    assert look(world, world.officer("o-judge", roles=(ROLE,)), item).reason is HiddenReason.NOT_ADDRESSED


def test_a_view_that_cannot_be_recorded_is_not_shown(world: ContentWorld) -> None:
    item, _ = world.publish(23, held("DE"))
    told: list[Use] = []

    class Broken:
        def record(self, uses: list[Use], reader: str | None = None) -> None:
            told.extend(uses)
            raise InfrastructureError("the broker did not confirm it")

    made = world.contents
    opened: list[str] = []

    def open_log(reader_key: str) -> Broken:
        opened.append(reader_key)
        return Broken()

    made._recorder, before = ViewRecorder(open_log), made._recorder
    try:
        author = world.officer("o-publisher")
        view = look(world, author, item)
        assert (view.content, view.reason, len(told)) == (None, HiddenReason.NOT_RECORDED, 1)
        look(world, author, item)
        assert opened == ["", ""]  # a new connection after a failure
    finally:
        made._recorder = before
    assert look(world, author, item).reason is None


def test_an_item_whose_time_is_over_is_not_shown(world: ContentWorld) -> None:
    item, _ = world.publish(24, held("DE"), retain_until="2026-01-01T00:00:00Z")
    assert look(world, world.officer("o-publisher"), item).reason is HiddenReason.EXPIRED


def test_a_copy_that_is_another_items_altered_or_in_clear_is_not_shown(world: ContentWorld) -> None:
    author, item = world.officer("o-publisher"), ""
    indicator = str(make_item_id("indicator", "", "25"))
    item, story = world.publish(25, held("DE"))
    other = make_item_id("CH", "fedpol", str(make_item_id("indicator", "", "26")))
    drafts = {
        "another item's": seal(other, make_draft_of(indicator)),
        "another version's": seal(item, make_draft_of(indicator), key=make_draft_key(item, 2)),
        "another agency's": seal(item, make_draft_of(indicator, source={"state": "CH", "agency": "x", "officer": "y"})),
        "in the name of another officer": seal(item, make_draft_of(indicator, named="o-clerk")),
        "altered": seal(item, make_draft_of(indicator))[:-1] + b"\0",
    }
    place = locate_item(world.console, item)
    for name, draft in drafts.items():
        changed = replace(place, drafts={story.conversation.revision: draft})
        assert world.contents.show_own(author, changed).reason is HiddenReason.NOT_OPENED, name
    clear = replace(place, drafts={story.conversation.revision: make_draft_of(indicator)})
    assert world.contents.show_own(author, clear).reason is HiddenReason.UNSEALED
    keyless = DraftSource(world.console, None, world.clock.read)
    assert keyless.open(place) is HiddenReason.NO_KEYS


def test_what_the_entry_has_no_more_is_found_on_the_topic_of_drafts(world: ContentWorld) -> None:
    item, story = world.bus.publish(27, disclosed("DE"), partition=1)
    author = world.officer("o-publisher")
    assert look(world, author, item).reason is HiddenReason.NOT_KEPT
    draft = seal(item, make_draft_of(story.conversation.indicator))
    world.write_draft(item, draft, partition=1)
    view = look(world, author, item)
    assert view.content is not None
    assert view.content.fields["value"] == VALUE
    assert look(world, world.officer("o-other"), item).reason is HiddenReason.NOT_ADDRESSED


def test_a_draft_that_was_deleted_is_not_shown_although_the_topic_still_has_it(world: ContentWorld) -> None:
    item, story = world.bus.publish(29, disclosed("DE"), partition=1)
    author, topic = world.officer("o-publisher"), DRAFTS.topic("CH")
    world.write_draft(item, seal(item, make_draft_of(story.conversation.indicator)), partition=1)
    assert look(world, author, item).content is not None
    write_records(world.bus.broker, topic, [None], key=make_draft_key(item, 1), partition=1)
    assert look(world, author, item).reason is HiddenReason.NOT_KEPT


def test_no_draft_is_shown_next_to_a_damaged_batch_which_may_delete_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_settings(monkeypatch)
    with EmbeddedBroker() as broker, open_world(broker, tmp_path, keys=FakeKeys()) as own:
        item, story = own.bus.publish(30, disclosed("DE"), partition=1)
        own.write_draft(item, seal(item, make_draft_of(story.conversation.indicator)), partition=1)
        write_bomb(broker, DRAFTS.topic("CH"), 40, partition=1)
        assert look(own, own.officer("o-publisher"), item).reason is HiddenReason.NOT_OPENED


def test_without_keys_the_copy_in_clear_is_shown_to_who_has_published_it(world: ContentWorld) -> None:
    indicator = str(make_item_id("indicator", "", "28"))
    item, number = make_item_id("CH", "fedpol", indicator), find_partition(indicator.encode(), PARTITIONS)
    world.write_draft(item, make_draft_of(indicator), partition=number)
    plain = DraftSource(world.console, None, world.clock.read)
    contents = type(world.contents)(
        world.console, world.clock.read, plain, world.contents._inbox, world.contents._recorder
    )  # fmt: skip
    place = ItemPlace(indicator, indicator, number, None)
    view = contents.show_own(world.officer("o-publisher"), place)
    assert view.content is not None
    assert view.content.fields["value"] == VALUE
    assert contents.show_own(world.officer("o-other"), place).reason is HiddenReason.NOT_ADDRESSED
    assert contents.show_own(world.officer("o-publisher", agency="x"), place).reason is HiddenReason.NOT_ADDRESSED


def test_the_copy_is_not_even_opened_for_whom_it_is_not(world: ContentWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    item, _ = world.publish(29, held("DE"))

    def fail(_: ItemPlace) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(world.contents._drafts, "open", fail)
    assert look(world, world.officer("o-other"), item).reason is HiddenReason.NOT_ADDRESSED
