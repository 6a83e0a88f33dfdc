"""A State removes its entry from the directory, and announces another one later."""

from __future__ import annotations

from sharing.conversation.vocabulary import DeliveryStatus
from sharing.model.directory import Directory
from sharing.model.times import DAY_MS, MINUTE_MS
from sharing.rulings.act import ActKind
from sharing.rulings.vocabulary import OpeningKind
from tests.stories.announcements import make_entry
from tests.stories.cases import make_swiss_notice, make_swiss_offer
from tests.stories.partner_fixtures import list_acts, make_world
from tests.stories.people import ACKNOWLEDGE, Answering
from tests.stories.world import World

DAYS = DAY_MS / MINUTE_MS


def announce(world: World, announcement: str, reader: str = "CH", state: str = "DE") -> None:
    """Let one State read what another one announces."""
    entry = make_entry(state, announcement)
    entries = {code: each for code, each in world[reader].directory.entries.items() if code != state}
    world[reader].directory = Directory(entries if entry is None else {**entries, state: entry})


def find_told(world: World) -> tuple[dict[str, str], int]:
    """Return where the delivery to each State stands by what the agency is told, and how many questions are open."""
    (history,) = world["CH"].read_outcomes().values()
    return history.describe_deliveries(), len(history.questions)


def test_a_recall_that_reaches_a_state_only_once_it_is_back_is_told_to_the_agency() -> None:
    world = make_world(DE=Answering(ACKNOWLEDGE))
    item = world["CH"].publish(make_swiss_notice())
    world.settle()
    announce(world, "its removal")
    world["CH"].open(OpeningKind.RECALL, item)
    world.settle()
    assert [act.states for act in list_acts(world, "CH", ActKind.UNDELIVERED)] == [("DE",), ("DE",)]
    assert find_told(world) == ({"DE": DeliveryStatus.SENT}, 0), "Germany has it, and does not know of the recall"
    announce(world, "as before")
    world.pass_time(7 * DAYS + 2)
    assert world["DE"].read_content(item) == []
    assert find_told(world) == ({"DE": DeliveryStatus.RECALLED}, 0)


def test_an_offer_whose_withdrawal_cannot_be_sent_is_over_for_the_agency() -> None:
    world = make_world()
    world["CH"].publish(make_swiss_offer())
    world.settle()
    assert find_told(world) == ({"DE": DeliveryStatus.WAITING}, 1)
    announce(world, "its removal")
    world["CH"].publish(make_swiss_offer(version=2, action="WITHDRAW", reason="wrong"))
    world.settle()
    assert [act.states for act in list_acts(world, "CH", ActKind.UNDELIVERED)] == [("DE",)]
    assert find_told(world) == ({"DE": DeliveryStatus.CLOSED}, 0)


def test_a_recall_that_is_repeated_says_nothing_of_a_later_version() -> None:
    world = make_world()
    item = world["CH"].publish(make_swiss_notice())
    world.settle()
    world["CH"].open(OpeningKind.RECALL, item)
    world.settle()
    world["CH"].publish(make_swiss_notice(version=2, action="SUPERSEDE"))
    world.settle()
    assert find_told(world) == ({"DE": DeliveryStatus.SENT}, 1)
    world.pass_time(7 * DAYS + 2)
    assert [act.states for act in list_acts(world, "CH", ActKind.OVERDUE)] == [()]
    assert find_told(world) == ({"DE": DeliveryStatus.SENT}, 1)
