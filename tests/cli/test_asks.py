"""`sharing asks`, on a bus with a worker that does what the state machines say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sharing.cli.shared.console import out
from sharing.conversation.events import Claimed, PassedOn
from sharing.conversation.received_events import OfferReceived
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.ids import make_ask_id, make_item_id
from sharing.kafka.conversation_reader import EntryTable
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import Urgency
from sharing.packs.library import find_law
from sharing.rulings.ruling import Answering, compute_conditions_hash
from sharing.topology.topics import RULINGS
from tests.cli.conftest import Call
from tests.cli.conversation_bus import CONDITIONS, HELD_BY, OFFERED_BY, ConversationBus, now_ms, open_conversation_bus
from tests.cli.test_officers import make_registrars
from tests.conversation.people import AUTHOR, CLERK, JUDGE, ROLE, disclosed, held, offered, withheld
from tests.conversation.test_receiver import Inbox
from tests.kafka.topic_io import read_records

SERIOUS = "findings.serious_offence"


@pytest.fixture
def ch(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConversationBus]:
    with open_conversation_bus(call, empty_folder, monkeypatch) as bus:
        yield bus


def make_offer(number: int = 1, urgency: Urgency = Urgency.ORDINARY) -> tuple[str, Inbox]:
    """Return an offer of DE, as the receiving side keeps it, and the id of its item."""
    item = make_item_id("DE", "bka", str(number))
    inbox = Inbox()
    inbox.now = now_ms()
    ask = make_ask_id(item, "ACCEPT", "1.0/CH", 1)
    inbox.happen(OfferReceived(ask, Revision(1), urgency, inbox.now + 60 * DAY_MS))
    return item, inbox


def test_asks_of_both_directions_are_listed_with_the_most_pressing_first(ch: ConversationBus) -> None:
    _, story = ch.publish(1, held("DE"))
    ch.publish(2, offered("FR", "c.one"), partition=1)
    item, inbox = make_offer(urgency=Urgency.EMERGENCY)
    ch.receive(inbox, item, partition=1)
    approve = story.find_ask(AskKind.APPROVE)
    listed = ch.run("asks", "list", "--json").json_lines
    assert [(each["kind"], each["from"], each["to"], each["urgency"]) for each in listed] == [
        ("ACCEPT", "DE", "CH", "EMERGENCY"), ("APPROVE", "CH", "CH", "ORDINARY"), ("ACCEPT", "CH", "FR", "ORDINARY"),
    ]  # fmt: skip
    found, law = listed[1], [{"rule": HELD_BY.id, "citation": HELD_BY.citation, "effect": "APPROVAL"}]
    assert (found["id"], found["role"], found["silence"], found["law"]) == (approve.id, ROLE, "CLOSE", law)
    assert set(found) >= {"items", "dossier", "opened_at", "deadline", "answers", "claimed_by", "recipients"}
    assert (listed[0]["law"], listed[2]["law"][0]["rule"]) == ([], OFFERED_BY.id)
    (without,) = ch.run("asks", "list", "--json", "--no-law", "--kind", "APPROVE").json_lines
    assert without["law"] is None
    shown = ch.run("asks", "list").out
    assert "approve the disclosure of an item that the law holds" in shown
    assert "CH, JUDGE, contact point" in shown
    assert "it ends without disclosure" in shown
    assert "29 d 23 h left" in shown
    assert shown.index("EMERGENCY") < shown.index(approve.id)
    assert "it is answered there" in shown


def test_ended_asks_are_listed_only_if_asked_for(ch: ConversationBus) -> None:
    item, story = ch.publish(1, offered("DE", "c.one"))
    story.reply(Answer.ACCEPTED)
    ch.keep(item)
    nobody = ch.run("asks", "list")
    assert (nobody.out, "there are no open questions" in nobody.err) == ("", True)
    (ended,) = ch.run("asks", "list", "--all", "--json").json_lines
    assert ended["status"] == "ANSWERED"


def test_an_ask_shows_what_an_officer_must_know(ch: ConversationBus) -> None:
    _, story = ch.publish(1, replace(held("DE"), conditions=frozenset({"c.one", "c.two"})))
    ask = story.find_ask(AskKind.APPROVE)
    shown = ch.run("asks", "show", ask.id, "--json").json_document
    assert shown["nonce"] == ask.nonce
    assert shown["effects"] == {"APPROVED": "RELEASE", "REFUSED": "CLOSE"}
    assert shown["conditions"] == [{"code": code, "text": f"What {code} says."} for code in ("c.one", "c.two")]
    assert shown["conditions_hash"] == compute_conditions_hash([CONDITIONS["c.one"], CONDITIONS["c.two"]])
    assert shown["law"] == [{"rule": HELD_BY.id, "citation": HELD_BY.citation, "effect": "APPROVAL"}]
    assert (shown["basis"], shown["partition"], len(shown["escalations"])) == ("UNCAC", 0, 2)
    text = ch.run("asks", "show", ask.id[:8]).out
    for part in ("IMAC art. 67a(4)", "What c.one says. [c.one]", "needs --ground", "(29 d 23 h left)", ask.nonce):
        assert part in text


def test_an_ask_for_facts_shows_its_questions(ch: ConversationBus) -> None:
    _, story = ch.publish(1, withheld("DE", SERIOUS))
    ask = story.find_ask(AskKind.SUPPLY_FACT)
    (fact,) = ch.run("asks", "show", ask.id, "--json").json_document["facts"]
    assert fact["name"] == SERIOUS
    assert fact["question"].endswith("?")
    assert SERIOUS in ch.run("asks", "show", ask.id).out


def test_an_answer_is_written_signed_and_its_result_told(ch: ConversationBus) -> None:
    _, story = ch.publish(1, replace(held("DE"), conditions=frozenset({"c.one"})))
    ask = story.find_ask(AskKind.APPROVE)
    with ch.working():
        answered = ch.rule("asks", "answer", ask.id, "APPROVED", "--text", "seen", wait="150")
    assert answered.code == 0, answered
    assert f"answered by {JUDGE.id}, disclosure approved (APPROVED)" in answered.out
    assert "item sent (DE)" in answered.out
    (verified,) = ch.read_rulings()
    act = verified.ruling.act
    assert isinstance(act, Answering)
    assert (verified.ruling.text, act.rule) == ("seen", HELD_BY.id)
    assert act.conditions_hash == compute_conditions_hash([CONDITIONS["c.one"]])
    again = ch.rule("asks", "answer", ask.id, "APPROVED")
    assert (again.code, "(NOT_OPEN)" in again.error or "(ALREADY_ANSWERED)" in again.error) == (2, True)


def test_without_a_worker_the_ruling_is_written_and_that_is_said(ch: ConversationBus) -> None:
    _, story = ch.publish(1, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    written = ch.rule("asks", "answer", ask.id, "APPROVED")
    assert (written.code, written.out) == (0, "")
    assert "is written, and the State's worker has not acted on it yet" in written.err
    as_json = ch.rule("asks", "claim", ask.id, "--json").json_document
    assert (as_json["waiting_for"], as_json["acts"]) == ([0], [])
    assert len(ch.read_rulings()) == 2


def test_a_refusal_of_the_worker_is_told_in_words(ch: ConversationBus) -> None:
    """The register was not looked at by the command: the worker finds that the officer has not the role."""
    ch.add_officer(CLERK)
    _, story = ch.publish(1, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    with ch.working():
        refused = ch.rule("asks", "answer", ask.id, "APPROVED", officer=CLERK.id, wait="150")
        assert refused.code == 1
        assert "refused: the officer does not have the role that is asked" in refused.out
        assert "set SHARING_TRUST_FILE" in refused.err
        del ch.officers[CLERK.id]
        unknown = ch.rule("asks", "answer", ask.id, "APPROVED", "--json", officer=CLERK.id, wait="150")
    assert unknown.code == 1
    assert "the register has no such officer" in unknown.json_document["refused"][0]
    assert ask.id in story.conversation.asks


def test_one_ruling_answers_alike_asks_on_several_partitions(ch: ConversationBus) -> None:
    asks = [ch.publish(number, held("DE"), partition=number % 2)[1].find_ask(AskKind.APPROVE) for number in (1, 2, 3)]
    with ch.working():
        answered = ch.rule("asks", "answer", *(ask.id for ask in asks), "APPROVED", "--json", wait="150")
    outcome = answered.json_document
    assert [copy["partition"] for copy in outcome["written"]] == [0, 1]
    assert outcome["waiting_for"] == []
    ended = {act["ask"] for act in outcome["acts"] if act["kind"] == "ASK_ENDED"}
    assert ended == {ask.id for ask in asks}
    assert len(ch.read_rulings()) == 2  # one copy for each partition


def test_asks_that_differ_are_not_answered_together(ch: ConversationBus) -> None:
    first = ch.publish(1, held("DE"))[1].find_ask(AskKind.APPROVE)
    other_state = ch.publish(2, held("FR"))[1].find_ask(AskKind.APPROVE)
    conditions = ch.publish(3, replace(held("DE"), conditions=frozenset({"c.one"})))[1].find_ask(AskKind.APPROVE)
    for other, what in ((other_state, "the receiving States"), (conditions, "the conditions")):
        refused = ch.rule("asks", "answer", first.id, other.id, "APPROVED")
        assert (refused.code, f"differ in {what}" in refused.error) == (2, True), refused
    assert ch.read_rulings() == []


WRONG_ANSWERS = (
    (["ACCEPTED"], "does not take the answer ACCEPTED; it takes APPROVED, REFUSED"),
    (["REFUSED"], "--ground: the answer REFUSED needs a ground of refusal"),
    (["APPROVED", "--ground", "DISCRETION"], "--ground: the answer APPROVED takes no such part"),
    (["APPROVED", "--fact", f"{SERIOUS}=YES"], "--fact: the answer APPROVED takes no such part"),
    (["APPROVED", "--fact", f"{SERIOUS}S=YES"], f"did you mean '{SERIOUS}'?"),
    (["APPROVED", "--fact", f"{SERIOUS}=PERHAPS"], "has a value that is not in its list"),
    (["APPROVED", "--fact", SERIOUS], "--fact: must be NAME=VALUE"),
    (
        ["REFUSED", "--ground", "OWN_LAW"],
        "--rule: a rule of your own law as a ground (OWN_LAW) needs the id of that rule",
    ),
    (["REFUSED", "--ground", "UNCC_40"], "is not in force"),
    (["APPROVED", "--text", "x" * 2001], "--text: must not have more than 2,000 characters"),
    (["APPROVED", "--relax", "c", "--relax-none"], "contradict each other"),
)


def test_an_answer_that_the_ask_does_not_take_is_one_sentence(ch: ConversationBus) -> None:
    ask = ch.publish(1, held("DE"))[1].find_ask(AskKind.APPROVE)
    for options, message in WRONG_ANSWERS:
        refused = ch.rule("asks", "answer", ask.id, *options)
        assert refused.code == 2, refused
        assert message in refused.error
        assert "PERHAPS" not in refused.error
    assert ch.read_rulings() == []


@pytest.mark.parametrize("is_known", [True, False])
def test_a_rule_of_the_own_law_that_the_log_will_not_name_is_said_to_be(ch: ConversationBus, is_known: bool) -> None:
    ask = ch.publish(1, held("DE"))[1].find_ask(AskKind.APPROVE)
    rule = find_law("CH").pack.rules[0].id if is_known else "ch.no-such-rule"
    answered = ch.rule("asks", "answer", ask.id, "REFUSED", "--ground", "OWN_LAW", "--rule", rule, wait="0")
    assert ("your law pack has no rule ch.no-such-rule: the log will not name it" in answered.err) is not is_known
    (verified,) = ch.read_rulings()
    assert isinstance(verified.ruling.act, Answering)
    assert verified.ruling.act.own_rule == rule


def test_facts_that_were_not_asked_for_are_refused_and_those_that_were_supplied(ch: ConversationBus) -> None:
    ask = ch.publish(1, withheld("DE", SERIOUS))[1].find_ask(AskKind.SUPPLY_FACT)
    other = ch.rule("asks", "answer", ask.id, "SUPPLIED", "--fact", "minor=NO")
    assert (other.code, f"does not ask for minor; it asks for {SERIOUS}" in other.error) == (2, True)
    with ch.working():
        supplied = ch.rule("asks", "answer", ask.id, "SUPPLIED", "--fact", f"{SERIOUS}=YES", wait="150")
    assert supplied.code == 0, supplied
    assert f"handed to the gate, which decides again: {SERIOUS}" in supplied.out
    (verified,) = ch.read_rulings()
    assert isinstance(verified.ruling.act, Answering)
    assert [(fact.name, fact.values) for fact in verified.ruling.act.facts] == [(SERIOUS, ("YES",))]


def test_relaxing_keeps_what_the_law_requires(ch: ConversationBus) -> None:
    item, story = ch.publish(1, offered("DE", "c.one", optional=("c.two", "c.three")))
    story.reply(Answer.CANNOT_COMPLY)
    ch.keep(item)
    ask = story.find_ask(AskKind.REDECIDE)
    every = [part for code in CONDITIONS for part in ("--relax", code)]
    for options, message in (
        (["--relax-none"], "the law requires c.one"),
        (["--relax", "c.one", "--relax", "other"], "other is no condition of this item"),
        (every, "leaves out no condition"),
        ([], "--relax or --relax-none: the answer RELAX needs the conditions that stay"),
    ):
        refused = ch.rule("asks", "answer", ask.id, "RELAX", *options)
        assert (refused.code, message in refused.error) == (2, True), refused
    with ch.working():
        relaxed = ch.rule("asks", "answer", ask.id, "RELAX", "--relax", "c.one", wait="150")
    assert relaxed.code == 0, relaxed
    assert "asked DE: accept the conditions of an offer (DE)" in relaxed.out


def test_an_offer_of_another_state_is_not_accepted_unread(ch: ConversationBus) -> None:
    item, inbox = make_offer()
    ch.receive(inbox, item)
    ((ask_id, _),) = inbox.received.asks.items()
    digest = compute_conditions_hash(CONDITIONS.values())
    inbox.received = replace(inbox.received, conditions={ask_id: digest})
    ch.keep(item)
    assert ch.run("asks", "show", ask_id, "--json").json_document["conditions_hash"] == digest
    blind = ch.rule("asks", "answer", ask_id, "ACCEPTED")
    assert (blind.code, "SHARING_READER_KEY" in blind.error) == (2, True)
    other = ch.rule("asks", "answer", ask_id, "ACCEPTED", "--conditions-hash", "0" * 64)
    assert (other.code, "has other conditions; read them again" in other.error) == (2, True)
    with ch.working():
        accepted = ch.rule("asks", "answer", ask_id, "ACCEPTED", "--conditions-hash", digest, wait="150")
    assert accepted.code == 0, accepted
    assert "answer sent: conditions accepted (ACCEPTED) (DE)" in accepted.out
    (verified,) = ch.read_rulings()
    act = verified.ruling.act
    assert isinstance(act, Answering)
    assert (act.asks[0].provider, act.conditions_hash, act.rule) == ("DE", digest, None)


def test_claiming_and_passing_on_are_seen_in_the_list(ch: ConversationBus) -> None:
    ask = ch.publish(1, held("DE"))[1].find_ask(AskKind.APPROVE)
    with ch.working():
        claimed = ch.rule("asks", "claim", ask.id, wait="150")
        assert (claimed.code, f"claimed by {JUDGE.id}" in claimed.out) == (0, True), claimed
        assert ch.run("asks", "list", "--json").json_document["claimed_by"] == JUDGE.id
        passed = ch.rule("asks", "pass-on", ask.id, "--authority", "PROSECUTOR", wait="150")
        assert (passed.code, "with public prosecutor (PROSECUTOR) now" in passed.out) == (0, True), passed
    (listed,) = ch.run("asks", "list", "--json").json_lines
    assert (listed["authority"], listed["claimed_by"]) == ("PROSECUTOR", None)
    again = ch.rule("asks", "pass-on", ask.id, "--authority", "PROSECUTOR")
    assert (again.code, "(SAME_AUTHORITY)" in again.error) == (2, True)
    nobody = ch.rule("asks", "pass-on", ask.id, "--authority", "UNKNOWN")
    assert (nobody.code, "name the kind of authority" in nobody.error) == (2, True)


def test_what_an_officer_may_not_do_is_said_before_it_is_written(ch: ConversationBus) -> None:
    item, story = ch.publish(1, offered("FR", "c.one"))
    elsewhere = story.find_ask(AskKind.ACCEPT)
    refused = ch.rule("asks", "answer", elsewhere.id, "ACCEPTED")
    assert (refused.code, "people of FR are asked, and answer there" in refused.error) == (2, True)
    story.reply(Answer.DECLINED, "FR")
    ch.keep(item)
    redecide = story.find_ask(AskKind.REDECIDE)
    ch.add_officer(AUTHOR)
    barred = ch.rule("asks", "answer", redecide.id, "WITHDRAW", officer=AUTHOR.id)
    assert (barred.code, "(BARRED)" in barred.error) == (2, True)
    assert redecide.publisher.officer == AUTHOR.id
    story.conversation = replace(
        story.conversation, asks={redecide.id: replace(redecide, expires_at=now_ms() - HOUR_MS)}
    )
    ch.keep(item)
    late = ch.rule("asks", "answer", redecide.id, "WITHDRAW")
    assert (late.code, "(EXPIRED)" in late.error) == (2, True)


def test_a_wrong_name_or_key_is_one_sentence(ch: ConversationBus) -> None:
    ask = ch.publish(1, held("DE"))[1].find_ask(AskKind.APPROVE)
    wrong = ask.id[:-1] + ("0" if ask.id[-1] != "0" else "1")
    unknown = ch.run("asks", "show", wrong)
    assert (unknown.code, f"did you mean '{ask.id}'?" in unknown.error) == (2, True)
    short = ch.run("asks", "show", "nothing")
    assert (short.code, "`sharing asks list`" in short.error) == (2, True)
    twice = ch.rule("asks", "claim", ask.id, ask.id)
    assert (twice.code, "named twice" in twice.error) == (2, True)
    other_state = ch.call("asks", "claim", ask.id, "--as", "o-1", "--key", ch.folder / "o-judge.key", "--state", "DE")
    assert (other_state.code, "national.de.conversations" in other_state.error) == (3, True)
    no_key = ch.run("asks", "claim", ask.id, "--as", "o-1", "--key", ch.folder / "none.key")
    assert no_key.code == 2
    (ch.folder / "o-judge.pass").write_text("another passphrase")
    wrong_pass = ch.rule("asks", "claim", ask.id)
    assert (wrong_pass.code, "the passphrase is wrong" in wrong_pass.error) == (2, True)
    nowhere = ch.call("asks", "list")
    assert (nowhere.code, "which State?" in nowhere.error) == (2, True)


@pytest.mark.usefixtures("short_connect_timeout")
def test_an_absent_broker_is_an_infrastructure_error(call: Call, empty_folder: Path) -> None:
    absent = call("asks", "list", "--state", "CH", "--bootstrap", "127.0.0.1:1")
    assert (absent.code, "no broker answers" in absent.error) == (3, True)


def test_the_register_is_verified_where_its_keys_are_known(
    ch: ConversationBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    registrars = make_registrars(ch.call, ch.folder)
    registrars.add_judge("o-17", "PUBLIC_PROSECUTOR")
    monkeypatch.setenv("SHARING_KEY_FOLDER", str(registrars.folders[0]))
    monkeypatch.setenv("SHARING_SEAL_TO_WORKER", "false")  # the worker of these tests has no keys
    folder = registrars.ceremony.folder
    ask = ch.publish(1, replace(held("DE"), approver="PUBLIC_PROSECUTOR"))[1].find_ask(AskKind.APPROVE)
    other = ch.publish(2, held("DE"))[1].find_ask(AskKind.APPROVE)

    def rule(ask_id: str, officer: str, key: str = "o-17") -> tuple[int, str]:
        secret = folder / f"{key}.pass"
        result = ch.run(
            "asks", "answer", ask_id, "APPROVED", "--as", officer, "--key", folder / f"{key}.key",
            "--passphrase-file", secret, "--wait", "0",
        )  # fmt: skip
        return result.code, result.err

    (listed,) = ch.run("asks", "list", "--as", "o-17", "--json").json_lines
    assert listed["id"] == ask.id, "the other Ask is for a judge"
    barred = ch.run("asks", "show", other.id, "--as", "o-17", "--json").json_document["barred"]
    assert "(WRONG_ROLE); it asks for the role JUDGE" in barred
    unknown = ch.run("asks", "list", "--as", "o-71")
    assert (unknown.code, "o-71 is not an officer of CH" in unknown.error) == (2, True)
    code, text = rule(ask.id, "o-17")
    assert (code, "worker has not acted on it yet" in text, "SHARING_TRUST_FILE" in text) == (0, True, False), text
    code, text = rule(other.id, "o-17")
    assert (code, "(WRONG_ROLE); it asks for the role JUDGE" in text) == (2, True), text
    code, text = rule(ask.id, "o-71")
    assert (code, "o-71 is not an officer of CH; did you mean 'o-17'?" in text) == (2, True), text
    item, _ = ch.publish(3, disclosed("DE"))
    recall = ("items", "recall", item, "--as", "o-17", "--key", folder / "o-17.key", "--wait", "0")
    recalled = ch.run(*recall, "--passphrase-file", folder / "o-17.pass")
    assert recalled.code == 0, recalled
    assert registrars.run("add", "o-17", "--without-roles").code == 0
    powerless = ch.run(*recall, "--passphrase-file", folder / "o-17.pass")
    assert (powerless.code, "has no role that may recall, correct or withdraw" in powerless.error) == (2, True)
    registrars.make_key("stolen")
    code, text = rule(ask.id, "o-17", "stolen")
    assert (code, "the register does not name the key" in text) == (2, True), text
    assert registrars.run("revoke", "o-17").code == 0
    code, text = rule(ask.id, "o-17")
    assert (code, "officer o-17 was revoked at" in text) == (2, True), text
    assert len(read_records(ch.broker, RULINGS.topic("CH"), 2)) == 2


def test_watching_ends_when_nobody_reads_it_any_more(ch: ConversationBus, monkeypatch: pytest.MonkeyPatch) -> None:
    item, _ = ch.publish(1, held("DE"))
    monkeypatch.setattr(out, "was_closed", True)
    assert ch.run("asks", "list", "--watch").code == 0
    assert ch.run("items", "show", item, "--watch").code == 0


def test_a_watched_list_shows_what_changes(ch: ConversationBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch ends here with the third change; a person ends it with Ctrl-C."""
    item, story = ch.publish(1, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    steps = [
        lambda: story.happen(Claimed(ask.id, JUDGE, now_ms(), nonce=ask.nonce)),
        lambda: story.happen(PassedOn(ask.id, JUDGE, "COURT", now_ms(), nonce=ask.nonce)),
        lambda: story.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED),
    ]
    follow = EntryTable.follow

    def change_and_follow(table: EntryTable[bytes], seconds: float) -> bool:
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()
        ch.keep(item)
        changed = False
        while not changed:
            changed = follow(table, seconds)
        return True

    monkeypatch.setattr(EntryTable, "follow", change_and_follow)
    watched = ch.run("asks", "list", "--watch", "--json")
    assert watched.code == 130
    lines = watched.json_lines
    assert [line.get("claimed_by") for line in lines] == [None, JUDGE.id, None, None]
    assert (lines[2]["authority"], lines[3]) == ("COURT", {"id": ask.id, "status": "ENDED"})
