"""What officers supply, correct or withdraw reaches the gate as an amended item that it accepts, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processors.conversation.sending import Written
from processors.exactly_once.batch import OutputRecord
from processors.gate.amendments import check_amendment, decode_amendment
from processors.inbox.refusals import RefusalError
from sharing.conversation.effects import Amend, Refused
from sharing.conversation.events import AmendmentOrdered
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, Refusal
from sharing.disclosure.amended_item import AmendedItem
from sharing.law.redaction import build_content
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import AmendmentKind
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Claiming, Opening
from sharing.rulings.vocabulary import OpeningKind
from sharing.seal.own_records import open_own_record
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from tests.processors.conversation.sending_fixtures import (
    DIGEST,
    FULL_OF_CANARIES,
    INDICATOR,
    JUDGE,
    PARTITION,
    STATE,
    SendingItem,
    has_canary,
    list_records,
    make_ruling,
    seal,
    write_draft,
)
from tests.processors.gate.gate_fixtures import indicator_form
from tests.processors.sealing.test_gate_sealing import WRAPPING_KEY, WRAPPING_KEY_ID

FORM = RuledFact(name="form", values=("INFORMATION",))
MINOR = RuledFact(name="subject_class", values=("SUSPECT",))
ROLES = frozenset({"JUDGE"})


def write_withheld_draft() -> bytes:
    """Return the draft of an item that is withheld only because its form is unknown."""
    fields = get_codec("draft").decode(write_draft())
    form = indicator_form(1)
    del form["form"]
    (recipient,) = fields["recipients"]
    changes = {
        "content": get_codec("indicator").encode(Indicator.parse(form).to_record()),
        "recipients": [{**recipient, "outcome": "WITHHOLD", "rules": []}],
    }
    return get_codec("draft").encode(fields | changes)


def order(item: SendingItem, *facts: RuledFact, text: str = "as the law asks") -> list[Written]:
    """Let an officer correct facts of an item, or withdraw it if there are none."""
    opens = OpeningKind.CORRECTION if facts else OpeningKind.WITHDRAWAL
    act = Opening(opens=opens, provider=STATE, item=item.item, partition=PARTITION, facts=facts)
    event = AmendmentOrdered(JUDGE, frozenset(fact.name for fact in facts), roles=ROLES)
    return item.happen(event, make_ruling(act, text))


def begin(**changes: Any) -> SendingItem:
    item = SendingItem()
    item.decide(**changes)
    return item


def read(written: list[Written]) -> tuple[AmendedItem, dict[str, Any]]:
    """Return what the gate reads, after its check."""
    (output,) = list_records(written)
    assert (output.topic, output.key, output.partition) == ("national.ch.amendments", INDICATOR.encode(), PARTITION)
    amended, record = decode_amendment(output.value, SINGLE_OBJECT_FRAMING)
    check_amendment(amended, record, output.key, STATE)
    return amended, record


def get_record(item: SendingItem) -> dict[str, Any]:
    opened = item.open_law().open_item()
    assert opened is not None
    return dict(opened[0].record)


def test_supplied_facts_are_in_the_amended_item() -> None:
    item = SendingItem()
    item.decide(write_withheld_draft())
    assert item.ask.kind is AskKind.SUPPLY_FACT
    before = get_record(item)
    amended, record = read(item.answer(Answer.SUPPLIED, facts=(FORM,)))
    assert (amended.kind, amended.revision, amended.is_corrected) == (AmendmentKind.FACTS, Revision(1, 1), False)
    assert (amended.officer, amended.ruling) == (JUDGE.id, DIGEST)
    assert record == {**before, "form": "INFORMATION"}


def test_a_correction_changes_what_it_states_and_nothing_else() -> None:
    item = begin()
    before = get_record(item)
    amended, record = read(order(item, MINOR))
    assert (amended.kind, amended.revision, amended.is_corrected) == (AmendmentKind.CORRECTION, Revision(1, 1), True)
    assert record == {**before, "subject_class": "SUSPECT"}
    assert build_content(record, ()) != build_content(before, ())


def test_a_correction_of_what_no_state_reads_corrects_nothing() -> None:
    amended, record = read(order(begin(), RuledFact(name="live_case_harm", values=("YES",))))
    assert (amended.is_corrected, record["live_case_harm"]) == (False, "YES")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("it was wrong", "it was wrong"), ("", f"ruling {DIGEST}"), (" \n", f"ruling {DIGEST}"),
     ("x" * 513, f"ruling {DIGEST}"), ("x" * 512, "x" * 512)],
)  # fmt: skip
def test_a_withdrawal_says_why(text: str, reason: str) -> None:
    item = begin()
    before = get_record(item)
    amended, record = read(order(item, text=text))
    assert (amended.kind, amended.is_corrected) == (AmendmentKind.WITHDRAWAL, False)
    assert record == {**before, "action": "WITHDRAW", "reason": reason}


def test_the_numbers_of_amendments_go_on() -> None:
    item = begin()
    read(order(item, MINOR))
    refused = order(item, MINOR)  # the gate has not decided on the first: a second would undo it
    assert list_records(refused) == []
    assert item.effects == [Refused("", JUDGE.id, Refusal.AMENDMENT_PENDING)]
    assert read(order(item))[0].revision == Revision(1, 2)  # a withdrawal may come at any time


def test_an_answer_is_refused_as_long_as_the_gate_has_an_amendment() -> None:
    item = SendingItem()
    item.decide(write_withheld_draft())
    read(order(item, MINOR))
    assert list_records(item.answer(Answer.SUPPLIED, facts=(FORM,))) == []
    assert [effect.reason for effect in item.effects if isinstance(effect, Refused)] == [Refusal.AMENDMENT_PENDING]
    assert item.ask.is_open


def test_a_higher_version_begins_the_numbers_again() -> None:
    item = begin()
    read(order(item, MINOR))
    item.decide(version=2, action="SUPERSEDE")
    assert read(order(item, MINOR))[0].revision == Revision(2, 1)


def test_the_next_amendment_is_made_of_the_one_before() -> None:
    item = begin()
    amended, record = read(order(item, MINOR))
    fields = get_codec("draft").decode(item.drafts[Revision(1)])
    changes = {"content": amended.content, "amendment": 1, "is_corrected": True}
    item.decide(get_codec("draft").encode(fields | changes))
    assert item.conversation.revision == Revision(1, 1)
    later, again = read(order(item, RuledFact(name="tlp", values=("GREEN",))))
    assert later.revision == Revision(1, 2)
    assert again == {**record, "tlp": "GREEN"}


def expect_refusal(item: SendingItem, cause: str, *facts: RuledFact) -> None:
    before = item.conversation
    with pytest.raises(RefusalError) as caught:
        order(item, *facts)
    assert caught.value.cause == cause
    assert str(caught.value).isprintable()
    assert item.conversation == before


def test_what_does_not_fit_the_item_is_refused() -> None:
    expect_refusal(begin(), "NOT_AMENDABLE", RuledFact(name="type", values=("iban",)))
    expect_refusal(begin(), "NOT_AMENDABLE", RuledFact(name="character", values=("POLITICAL",)))
    expect_refusal(begin(version=2, action="WITHDRAW", reason="r"), "NOT_AMENDABLE", MINOR)


def test_a_known_fact_is_not_supplied() -> None:
    item = SendingItem()
    item.decide(write_withheld_draft())
    ask = item.ask
    widened = replace(ask, facts=ask.facts | {"live_case_harm"})
    item.conversation = replace(item.conversation, asks={ask.id: widened})
    with pytest.raises(RefusalError, match="is known already"):
        item.answer(Answer.SUPPLIED, facts=(RuledFact(name="live_case_harm", values=("YES",)),))


def test_an_item_without_a_draft_is_not_amended() -> None:
    item = begin()
    item.drafts = {}
    expect_refusal(item, "NO_DRAFT", MINOR)


def test_a_ruling_that_amends_nothing_is_refused() -> None:
    item = begin(collection="INTERCEPTION")
    ask = item.ask
    claim = Claiming(asks=({"ask": ask.id, "nonce": ask.nonce, "provider": STATE, "item": item.item, "partition": 0},))  # type: ignore[arg-type]
    amend = Amend(Revision(1, 1), "", frozenset({"form"}))
    ruling = replace(make_ruling(Opening(
        opens=OpeningKind.RECALL, provider=STATE, item=item.item, partition=PARTITION)))  # fmt: skip
    for act in (claim, ruling.ruling.act):
        changed = replace(ruling, ruling=ruling.ruling.model_copy(update={"act": act}))
        with pytest.raises(RefusalError, match="neither supplies nor corrects"):
            item.write(amend, item.open_law(), changed)
    with pytest.raises(ValueError, match="only a ruling"):
        item.write(amend, item.open_law())


def test_an_amended_item_is_sealed_for_the_state_itself() -> None:
    item = begin(**FULL_OF_CANARIES)
    unsealed = list_records(order(item, MINOR))
    assert has_canary(*unsealed)
    (sealed,) = seal(*unsealed)
    assert not has_canary(sealed)
    assert sealed[:2] == unsealed[0][:2]
    assert sealed.partition == PARTITION
    opened = open_own_record(
        sealed.value or b"", sealed.key or b"", "amendment", STATE, {WRAPPING_KEY_ID: WRAPPING_KEY}.get
    )
    assert opened == unsealed[0].value


def test_nothing_of_an_amended_item_is_shown_by_its_repr() -> None:
    amended, _ = read(order(begin(**FULL_OF_CANARIES), MINOR))
    assert not has_canary(OutputRecord("", repr(amended).encode(), None))
