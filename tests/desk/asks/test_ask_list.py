"""The list of Asks: what is shown, in which order, and what is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from sharing.conversation.asks import Publisher
from sharing.conversation.events import Claimed
from sharing.conversation.vocabulary import AskKind
from sharing.desk.asks import list_routes
from sharing.desk.web.code_words import name_category
from sharing.model.vocabulary import Urgency
from tests.conversation.people import JUDGE, held, offered, withheld
from tests.desk.asgi import Desk, FakeRegister, make_officer, make_services, open_desk
from tests.desk.board.board_world import CATEGORY, OWN_CATEGORY, BoardWorld

ROW = re.compile(r'data-ask="([^"]+)"')
MINUTE = 60_000


@pytest.fixture
def world() -> BoardWorld:
    return BoardWorld()


@pytest.fixture
def desk(world: BoardWorld) -> Iterator[Desk]:
    register = FakeRegister()
    for officer_id, roles in (("anna", ("JUDGE",)), ("bert", ())):
        register.add(make_officer(officer_id, roles=roles))
    services = make_services(board=world, asked_law=world.make_law(), register=register)
    with open_desk(list_routes, services=services) as desk:
        yield desk


def list_rows(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return ROW.findall(answer.text)


def test_emergencies_come_first_then_what_has_the_least_time_left(desk: Desk, world: BoardWorld) -> None:
    ordinary = world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    urgent = world.publish(2, held("FR"), urgency=Urgency.URGENT).find_ask(AskKind.APPROVE)
    pressing = world.publish(3, held("NL"), urgency=Urgency.EMERGENCY).find_ask(AskKind.APPROVE)
    answer = desk.get("/asks")
    assert list_rows(answer) == [pressing.id, urgent.id, ordinary.id]
    first = answer.text[: answer.text.index(urgent.id)]
    assert "tag-emergency" in first, "an emergency is said in words, not by colour alone"
    assert "list-row-emergency" in first


def test_a_row_says_what_of_whom_by_which_law_and_what_silence_means(desk: Desk, world: BoardWorld) -> None:
    offer = world.receive(1)
    held_ask = world.publish(2, held("CH")).find_ask(AskKind.APPROVE)
    found = [world.find(offer), world.find(held_ask.id)]
    desk.services.asked_law.require([each for each in found if each is not None])
    text = desk.get("/asks").text
    for part in (
        "Accept the conditions of an offer", name_category(CATEGORY), "IRG § 61b", "the providing State decides again",
        "Approve the disclosure", name_category(OWN_CATEGORY), "Switzerland (CH)", "IRG § 61a",
        "it ends without disclosure", "by nobody", "JUDGE", "19 d 23 h",
    ):  # fmt: skip
        assert part in text or part.replace("19 d 23 h", "20 d 0 h") in text, part


def test_the_law_is_looked_up_afterwards_and_the_list_does_not_wait(desk: Desk, world: BoardWorld) -> None:
    world.publish(1, held("CH"))
    world.law_is_away = True
    assert "being looked up" in desk.get("/asks").text
    assert world.looked_up == 0, "nobody looks it up in the request"


def test_alike_asks_are_one_row_with_their_number(desk: Desk, world: BoardWorld) -> None:
    asks = [world.publish(number, held("CH")).find_ask(AskKind.APPROVE).id for number in range(5)]
    other = world.publish(9, held("FR")).find_ask(AskKind.APPROVE).id
    answer = desk.get("/asks")
    shown = list_rows(answer)
    assert len(shown) == 2
    assert "5 similar" in answer.text
    assert set(list_rows(desk.get("/asks?each=1"))) == {*asks, other}
    first = next(each for each in shown if each in asks)
    assert set(list_rows(desk.get(f"/asks?like={first}"))) == set(asks)


def test_filters_select_by_kind_state_direction_and_officer(desk: Desk, world: BoardWorld) -> None:
    approve = world.publish(1, held("CH")).find_ask(AskKind.APPROVE).id
    accept = world.publish(2, offered("FR", "c.one")).find_ask(AskKind.ACCEPT).id  # asked of people of FR
    offer = world.receive(3, from_state="NL")
    facts = world.publish(4, withheld("SE", "form")).find_ask(AskKind.SUPPLY_FACT).id
    own = world.publish(5, held("IT"), publisher=Publisher("bka", "anna")).find_ask(AskKind.APPROVE).id
    assert set(list_rows(desk.get("/asks"))) == {approve, offer, facts, own}
    assert list_rows(desk.get("/asks?direction=elsewhere")) == [accept]
    assert set(list_rows(desk.get("/asks?direction=all"))) == {approve, accept, offer, facts, own}
    assert list_rows(desk.get("/asks?kind=SUPPLY_FACT")) == [facts]
    assert list_rows(desk.get("/asks?state=NL")) == [offer]
    assert set(list_rows(desk.get("/asks?mine=may"))) == {approve, offer, facts}, "four eyes: not the own item"
    desk.sign_in("bert")
    assert set(list_rows(desk.get("/asks?mine=may"))) == {offer, facts}, "bert has no role"
    assert list_rows(desk.get("/asks?kind=NO_SUCH&direction=x&mine=y&page=-1&state=%00")) != []


def test_what_an_officer_has_claimed_is_found_until_the_claim_ends(desk: Desk, world: BoardWorld) -> None:
    story = world.publish(1, held("CH"))
    world.publish(2, held("FR"))
    ask = story.find_ask(AskKind.APPROVE)
    story.happen(Claimed(ask.id, make_officer("anna", roles=("JUDGE",)).to_officer(), world.now, nonce=ask.nonce))
    world.keep(story.conversation.item)
    assert list_rows(desk.get("/asks?mine=claimed")) == [ask.id]
    assert "Anna (anna)" in desk.get("/asks").text
    desk.sign_in("bert")
    assert list_rows(desk.get("/asks?mine=claimed")) == []


def test_an_id_or_its_beginning_is_found(desk: Desk, world: BoardWorld) -> None:
    story = world.publish(1, held("CH"))
    world.publish(2, held("FR"))
    ask = story.find_ask(AskKind.APPROVE)
    assert list_rows(desk.get(f"/asks?q={ask.id[:8]}")) == [ask.id]
    assert list_rows(desk.get(f"/asks?q={story.conversation.item[:12].upper()}")) == [ask.id]
    assert list_rows(desk.get("/asks?q=ffffffff")) == []
    found = desk.get(f"/asks?q={ask.id}")
    assert (found.status_code, found.headers["location"]) == (303, f"/asks/{ask.id}")


def test_pages_have_fifty_rows_and_lose_none(desk: Desk, world: BoardWorld) -> None:
    codes = ("CH", "FR", "NL")
    asks = {world.publish(number, held(codes[number % 3])).find_ask(AskKind.APPROVE).id for number in range(120)}
    pages = [list_rows(desk.get(f"/asks?each=1&page={page}")) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert {each for page in pages for each in page} == asks
    assert list_rows(desk.get("/asks?each=1&page=999")) == pages[2], "a page that is gone is the last one"
    assert "page=2" in desk.get("/asks?each=1").text


def test_the_rows_alone_are_what_an_open_list_fetches_again(desk: Desk, world: BoardWorld) -> None:
    ask = world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    rows = desk.get("/asks/rows?each=1")
    assert list_rows(rows) == [ask.id]
    assert "<html" not in rows.text
    assert 'hx-get="/asks/rows?each=1' in rows.text
    assert "sse:board" in rows.text
    assert f'id="ask-{ask.id}"' in rows.text, "htmx keeps the focus of what has an id"


def test_before_the_topic_was_read_nothing_is_said_to_be_empty(desk: Desk, world: BoardWorld) -> None:
    del desk
    services = make_services(asked_law=world.make_law())
    with open_desk(list_routes, services=services) as other:
        text = other.get("/asks").text
    assert "are being loaded" in text
    assert "Nobody is asked" not in text


def test_an_entry_that_cannot_be_decoded_is_said_and_hides_no_other(desk: Desk, world: BoardWorld) -> None:
    ask = world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    world.write(b"out/" + bytes(16), b"\xc3\x01newer release")
    answer = desk.get("/asks")
    assert list_rows(answer) == [ask.id]
    assert "the list is not complete" in answer.text


HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"


def test_hostile_text_of_another_state_is_shown_as_text(desk: Desk, world: BoardWorld) -> None:
    """Another State chooses the ids of its offers' claimants and authorities; they are text."""
    ask_id = world.receive(1)
    (item,) = world.inboxes
    inbox = world.inboxes[item]
    ask = inbox.received.asks[ask_id]
    hostile = replace(ask, authority=HOSTILE, claimed_by=HOSTILE, claimed_until=world.now + MINUTE)
    inbox.received = replace(inbox.received, asks={ask_id: hostile})
    world.keep(item)
    typed = quote(HOSTILE)
    for path in ("/asks", "/asks/rows", f"/asks/{ask_id}", f"/asks?q={typed}", f"/asks?like={typed}", f"/asks/{typed}"):
        text = desk.get(path).text
        assert "<script>alert" not in text, path
        assert "\u202e" not in text, path
        assert "\x1b" not in text, path


def test_officers_see_no_value_of_an_item(desk: Desk, world: BoardWorld) -> None:
    """The entries have none, and the page opens no draft: `contents` is None here."""
    world.publish(1, held("CH"))
    world.receive(2)
    assert desk.get("/asks").status_code == 200
    assert JUDGE.id not in desk.get("/asks").text
