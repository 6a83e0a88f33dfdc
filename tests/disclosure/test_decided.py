"""The gate's decision as an event: publisher, urgency, revision, terms, and what the gate has sent itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.conversation.asks import Officer, Publisher
from sharing.conversation.deliveries import Conversation
from sharing.conversation.effects import Amend, Opened, Send
from sharing.conversation.events import Replied, Ruled
from sharing.conversation.provider import advance
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus
from sharing.disclosure.decided import make_decided, read_recipient
from sharing.disclosure.law_in_force import LawInForce
from sharing.law.decision_context import DecisionContext
from sharing.model.decision import RecipientDecision
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import NoticeKind, Outcome, RelevanceKind, Urgency
from sharing.serialization.codec import get_codec
from tests.disclosure.opening_search import state_facts
from tests.disclosure.situations import open_directory
from tests.law.scenarios import NOW_MS, PROVIDERS, SCENARIOS, get_law, write_item

OTHER = Officer("o-2", "Police", frozenset())


def open_context(provider: str, *states: str) -> DecisionContext:
    law = get_law(provider)
    entries = {state: open_directory(state, "POLICE").entries[state] for state in states}
    return DecisionContext.open(law.pack, law.treaties, Directory(entries), NOW_MS)


CONTEXT = open_context("CH", "DE")
LAW = LawInForce(CONTEXT)


def write_record(**changes: Any) -> dict[str, Any]:
    nexus = [{"state": "DE", "reason": "concerned"}]
    return Indicator.parse(write_item("HASH", "CH", nexus=nexus, **changes)).to_record()


def decide(record: dict[str, Any]) -> tuple[RecipientDecision, ...]:
    return CONTEXT.decide(record, NOW_MS).recipients


def test_a_first_publication_was_sent_by_the_gate() -> None:
    record = write_record()
    decided = make_decided(record, decide(record), LAW, NOW_MS)
    assert decided.revision == Revision(1)
    assert decided.publisher == Publisher("Police", "o-1")
    assert decided.urgency is Urgency.ORDINARY
    assert decided.terms == LAW.at(record, NOW_MS).list_terms()
    assert (decided.is_sent, decided.is_corrected) == (True, False)


def test_it_says_until_when_the_item_may_be_kept() -> None:
    record = write_record(retain_until="2030-01-01T00:00:00Z")
    assert make_decided(record, decide(record), LAW, NOW_MS).retain_until == 1_893_456_000_000
    record = write_record()
    assert make_decided(record, decide(record), LAW, NOW_MS).retain_until is None


@pytest.mark.parametrize(("officer", "expected"), [("o-1", "o-1"), ("Max Muster", None), ("O-1", None), (None, None)])
def test_only_an_id_of_a_register_names_who_has_published(officer: str | None, expected: str | None) -> None:
    """Anything else may be a name, and is kept in clear nowhere."""
    record = write_record()
    record["source"]["officer"] = officer
    assert make_decided(record, decide(record), LAW, NOW_MS).publisher == Publisher("Police", expected)


@pytest.mark.parametrize("action", ["SUPERSEDE", "PUBLISH"])
def test_what_supersedes_is_sent_by_the_conversation(action: str) -> None:
    record = write_record(version=2, action=action)
    decided = make_decided(record, decide(record), LAW, NOW_MS)
    assert (decided.revision, decided.is_sent) == (Revision(2), False)
    assert decided.terms is not None


def test_a_withdrawal_has_no_terms() -> None:
    record = write_record(version=2, action="WITHDRAW", reason="wrong")
    decided = make_decided(record, decide(record), LAW, NOW_MS)
    assert (decided.terms, decided.is_sent) == (None, False)


@pytest.mark.parametrize(
    ("changes", "urgency"),
    [
        ({"urgency": "URGENT"}, Urgency.URGENT),
        ({"urgency": None}, Urgency.ORDINARY),
        ({"urgency": "EMERGENCY", "urgency_reason": "A child is missing."}, Urgency.EMERGENCY),
        ({"urgency": "EMERGENCY", "urgency_reason": None}, Urgency.ORDINARY),
    ],
)
def test_the_urgency_is_the_one_that_counts(changes: dict[str, Any], urgency: Urgency) -> None:
    record = write_record(**changes)
    assert make_decided(record, decide(record), LAW, NOW_MS).urgency is urgency


def test_an_amendment_is_sent_by_the_conversation_and_says_whether_it_corrects() -> None:
    record = write_record()
    for is_corrected in (False, True):
        decided = make_decided(record, decide(record), LAW, NOW_MS, amendment=2, is_corrected=is_corrected)
        assert (decided.revision, decided.is_sent, decided.is_corrected) == (Revision(1, 2), False, is_corrected)
    with pytest.raises(ValueError, match="only an amendment corrects"):
        make_decided(record, decide(record), LAW, NOW_MS, is_corrected=True)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_recipient_is_read_back_from_the_record_of_its_decision(provider: str, scenario: str) -> None:
    context = open_context(provider, "DE", "FR", "US")
    record = Indicator.parse(write_item(scenario, provider, personal_data=None)).to_record()
    decision = context.build_decision(record, NOW_MS)
    decoded = get_codec("decision").decode(get_codec("decision").encode(decision.to_record()))
    assert decision.recipients
    for recipient, read in zip(decision.recipients, map(read_recipient, decoded["recipients"]), strict=True):
        assert read.terms == replace(recipient.terms, approvals=None)  # records name the rules, not the number
        assert read.state == recipient.state
        assert [reason.kind for reason in read.relevance] == [reason.kind for reason in recipient.relevance]
    read_all = list(map(read_recipient, decoded["recipients"]))
    assert LawInForce(context).make_terms(record, read_all, NOW_MS) == LawInForce(context).make_terms(
        record, decision.recipients, NOW_MS
    )
    assert any(reason.kind is RelevanceKind.NEXUS_STATED for each in read_all for reason in each.relevance)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_terms_of_decisions_that_many_items_share_are_kept_only_where_they_follow_from_them(
    provider: str, scenario: str
) -> None:
    """One tuple of decisions, three items: of one an agency that nobody asks, of one another purpose is known."""
    context = open_context(provider, "DE", "FR", "US")
    law = LawInForce(context, ["customs"])
    first = Indicator.parse(write_item(scenario, provider, purpose=None)).to_record()
    not_asked = {**first, "source": {**first["source"], "agency": "customs"}}
    recipients = tuple(context.decide(first, NOW_MS).recipients)
    for record in (first, not_asked, {**first, "purpose": "INVESTIGATION"}, first):
        expected = LawInForce(context, ["customs"]).make_terms(record, recipients, NOW_MS)
        assert law.make_terms(record, recipients, NOW_MS) == expected
    is_open = all(each.outcome is not Outcome.WITHHOLD for each in recipients)
    made = law.make_terms(first, recipients, NOW_MS)
    assert (law.make_terms(first, recipients, NOW_MS) is made) == is_open
    other = (*recipients,)
    assert law.make_terms(first, other, NOW_MS) == made


def test_a_missing_fact_is_asked_supplied_decided_and_sent() -> None:
    """From the gate's decision to the Ask, from the answer to the amended item, and from there to the State."""
    record = write_record(purpose=None)
    decided = make_decided(record, decide(record), LAW, NOW_MS)
    begun, effects = advance(Conversation("i-1", "CH"), decided, NOW_MS, LAW.at(record, NOW_MS))
    (opened,) = (effect for effect in effects if isinstance(effect, Opened))
    assert (opened.ask.kind, *opened.ask.facts, *opened.ask.recipients) == (AskKind.SUPPLY_FACT, "purpose", "DE")
    facts = frozenset({"purpose"})
    ruled = Ruled(opened.ask.id, OTHER, Answer.SUPPLIED, NOW_MS + 1, facts, nonce=opened.ask.nonce)
    answered, effects = advance(begun, ruled, NOW_MS + 1, LAW.at(record, NOW_MS + 1))
    (amend,) = (effect for effect in effects if isinstance(effect, Amend))
    assert amend.revision == Revision(1, 1)
    amended = state_facts(record, {"purpose": ("INVESTIGATION",)})
    again = make_decided(amended, decide(amended), LAW, NOW_MS + 2, amendment=1)
    assert [terms.outcome for terms in again.terms or ()] == [Outcome.OFFER]
    offered, effects = advance(answered, again, NOW_MS + 2, LAW.at(amended, NOW_MS + 2))
    (offer,) = (effect for effect in effects if isinstance(effect, Opened))
    assert (offer.ask.kind, offer.is_sent) == (AskKind.ACCEPT, False)
    accepted = Replied(offer.ask.id, "DE", Answer.ACCEPTED, NOW_MS + 3)
    done, effects = advance(offered, accepted, NOW_MS + 3, LAW.at(amended, NOW_MS + 3))
    (sent,) = (effect for effect in effects if isinstance(effect, Send))
    assert (sent.state, sent.kind, sent.revision) == ("DE", NoticeKind.ITEM, Revision(1, 1))
    assert [delivery.revision for delivery in done.list_deliveries(DeliveryStatus.SENT)] == [Revision(1, 1)]
    # The State's authority is not in the directory any more: the law, asked again, is less open.
    narrow = LawInForce(open_context("CH", "FR")).at(amended, NOW_MS + 3)
    _, effects = advance(offered, accepted, NOW_MS + 3, narrow)
    assert not any(isinstance(effect, Send) for effect in effects)
    assert [effect.ask.kind for effect in effects if isinstance(effect, Opened)] == [AskKind.REDECIDE]
