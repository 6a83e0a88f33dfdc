"""Test State C: a statute that does not exist, encoded by following `docs/adding-a-state.md` alone.

`decide_from_the_statute` and the tables below were written from `xc/statute.md`, not from the pack.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sharing import Publisher
from sharing.cli import main
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.law.cases import CASE_KINDS
from sharing.law.cases.runs import run_cases
from sharing.law.decision_context import DecisionContext
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.decision import RecipientDecision
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.times import to_milliseconds
from sharing.packs.library import Law, find_law, load_cases, load_common_rules, load_shipped_treaties
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES, OFFERS, list_topics
from tests.faults.records import read_topic
from tests.support.waiting import wait_until

FOLDER = Path(__file__).with_name("xc")
PACKS = FOLDER / "packs"
PACK = PACKS / "xc.yaml"
AGREEMENT, SECTION_15 = dt.date(2024, 7, 1), dt.date(2026, 7, 1)
DAYS = [AGREEMENT - dt.timedelta(1), AGREEMENT, SECTION_15 - dt.timedelta(1), SECTION_15]
SECRET, DELETED = ("CONFIDENTIALITY", "Kept confidential."), ("RETENTION", "Deleted one year after receipt.")
ANSWERED = {"source.officer": "Officer 7", "urgency_reason": "A threat to kill."}


class Expected(NamedTuple):
    """What the statute leads to: the outcome, who is asked, and the duties of the recipient."""

    outcome: str
    approver: str | None = None
    duties: tuple[tuple[str, str], ...] = ()


NOTHING = Expected("WITHHOLD")


class Matter(NamedTuple):
    """What the statute asks about an item, with every answer known."""

    sender: str
    receiver: str
    years: int
    form: str
    is_tax_record: bool
    names_person: bool
    is_victim: bool
    threat_to_life: bool
    reciprocity: bool
    day: dt.date


def decide_from_the_statute(matter: Matter) -> Expected:
    """Read the statute from top to bottom, as a lawyer does."""
    has_agreement = matter.day >= AGREEMENT and matter.years >= 4 and matter.sender == matter.receiver == "POLICE"
    if not has_agreement or not matter.reciprocity or matter.is_tax_record:
        return NOTHING  # s. 10, s. 13
    duties = (SECRET,) if matter.day < SECTION_15 else (SECRET, DELETED)  # s. 14, s. 15
    if matter.names_person and matter.is_victim:
        # Section 12. Evidence needs the Attorney as well (s. 11), and a decision names one person.
        may_be_asked = matter.threat_to_life and matter.form != "EVIDENCE"
        return Expected("HOLD", "COMMISSIONER", duties) if may_be_asked else NOTHING
    if matter.form == "EVIDENCE":
        return Expected("HOLD", "ATTORNEY", duties)
    return Expected("OFFER", None, duties)  # nothing says that the duties bind before they are accepted


# --- Deciding ---


@cache
def read_directory() -> Directory:
    """Return the directory, in which Test State A has two authorities."""
    text = (FOLDER / "states.yaml").read_text(encoding="utf-8")
    return Directory({entry.state: entry for entry in parse_entries(text, "states.yaml")})


def make_law(*, reciprocity: bool | None = True) -> Law:
    """Return the law, with another assessment of reciprocity."""
    answer = {True: "reciprocity: true, ", False: "reciprocity: false, ", None: ""}[reciprocity]
    text = PACK.read_text(encoding="utf-8")
    assert text.count("reciprocity: true, ") == 1
    treaties = load_shipped_treaties()
    return Law(
        parse_pack(text.replace("reciprocity: true, ", answer), PACK.name, treaties, load_common_rules()), treaties
    )


def make_record(**changes: Any) -> dict[str, Any]:
    """Return an item that section 10 permits, with some fields changed by their dotted names; None removes one."""
    data: dict[str, Any] = {
        "id": "00000000-0000-4000-8000-000000000000", "type": "domain-name", "value": "malware.example.org",
        "source": {"state": "XC", "agency": "Test police", "authority": "POLICE"}, "form": "INFORMATION",
        "offence": {"codes": ["ILLEGAL_ACCESS"], "max_penalty_years": 4}, "collection": "OPEN_SOURCE",
        "personal_data": False, "subject_class": "SUSPECT", "urgency": "ORDINARY", "live_case_harm": False,
        "character": [], "nexus": [{"state": "XA", "reason": "hosted there"}],
    }  # fmt: skip
    for name, value in changes.items():
        *parents, last = name.split(".")
        fields = data
        for parent in parents:
            fields = fields[parent]
        if value is None:
            fields.pop(last, None)
        else:
            fields[last] = value
    return Indicator.parse(data).to_record()


Decide = Callable[[dict[str, Any]], RecipientDecision]


def make_decider(law: Law, day: dt.date) -> Decide:
    """Return a function that decides on records at noon of a day."""
    now_ms = to_milliseconds(dt.datetime.combine(day, dt.time(12), dt.UTC))
    context = DecisionContext.open(law.pack, law.treaties, read_directory(), now_ms)

    def decide(record: dict[str, Any]) -> RecipientDecision:
        (recipient,) = context.decide(record, now_ms).recipients
        assert recipient.state == "XA"
        return recipient

    return decide


def summarise(decision: RecipientDecision) -> Expected:
    duties = sorted((str(condition.kind), condition.text) for condition in decision.conditions)
    return Expected(str(decision.outcome), decision.approver, tuple(duties))


# --- What the statute says ---


@cache
def list_items() -> list[tuple[Matter, dict[str, Any]]]:
    """Return every combination of answers, with the item; its day and the reciprocity are set later."""
    emergencies = [
        (False, {"urgency": "ORDINARY"}), (False, {"urgency": "URGENT"}), (False, {"urgency": "EMERGENCY"}),
        (True, {"urgency": "EMERGENCY", **ANSWERED}),
    ]  # fmt: skip
    items = []
    # Laundering is for the prosecution of Test State A, illegal access for its police if police ask.
    for sender, code, years, form, tax, personal, victim, (threat, urgency) in product(
        ["POLICE", "PROSECUTOR"], ["ILLEGAL_ACCESS", "LAUNDERING"], [3, 4], ["INFORMATION", "EVIDENCE", "EXISTENCE"],
        [False, True], [False, True], [False, True], emergencies,
    ):  # fmt: skip
        receiver = "POLICE" if (sender, code) == ("POLICE", "ILLEGAL_ACCESS") else "PROSECUTOR"
        matter = Matter(sender, receiver, years, form, tax, personal, victim, threat, True, AGREEMENT)
        changes = {
            "source.authority": sender, "offence.codes": [code], "offence.max_penalty_years": years, "form": form,
            "collection": "TAX_RECORD" if tax else "OPEN_SOURCE", "personal_data": personal,
            "subject_class": "VICTIM" if victim else "SUSPECT", **urgency,
        }  # fmt: skip
        items.append((matter, make_record(**changes)))
    return items


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("reciprocity", [True, False])
def test_the_pack_decides_as_the_statute_says(day: dt.date, reciprocity: bool) -> None:
    decide = make_decider(make_law(reciprocity=reciprocity), day)
    found = set()
    for template, record in list_items():
        matter = template._replace(day=day, reciprocity=reciprocity)
        expected, decision = decide_from_the_statute(matter), decide(record)
        assert summarise(decision) == expected, matter
        assert decision.to_authority == matter.receiver
        assert decision.undecided == () or not _is_covered(matter), matter
        found.add((expected.outcome, expected.approver))
    if reciprocity and day >= AGREEMENT:
        assert found == {("OFFER", None), ("HOLD", "ATTORNEY"), ("HOLD", "COMMISSIONER"), ("WITHHOLD", None)}
    else:
        assert found == {("WITHHOLD", None)}


def _is_covered(matter: Matter) -> bool:
    return matter.day >= AGREEMENT and matter.years >= 4 and matter.sender == matter.receiver == "POLICE"


VICTIM = {"personal_data": True, "subject_class": "VICTIM"}
SOMEBODY = {"personal_data": True, "subject_class": None}
ASK_COMMISSIONER = Expected("HOLD", "COMMISSIONER", (SECRET,))
UNKNOWN = [
    ("who sends it", {"source.authority": None}, NOTHING),
    ("whether it is evidence", {"form": None}, NOTHING),
    ("whether the offence is serious", {"offence.max_penalty_years": None}, NOTHING),
    ("which offence it is", {"offence.codes": None}, NOTHING),
    ("whether it is a tax record", {"collection": None}, NOTHING),
    ("whether it names a victim", {"personal_data": None, "subject_class": "VICTIM"}, NOTHING),
    ("whom it names", SOMEBODY, NOTHING),
    ("whom it names, in an emergency", {**SOMEBODY, "urgency": "EMERGENCY", **ANSWERED}, ASK_COMMISSIONER),
    ("whether a victim's life is threatened", {**VICTIM, "urgency": None}, ASK_COMMISSIONER),
    ("whether a victim's life is threatened, of evidence", {**VICTIM, "urgency": None, "form": "EVIDENCE"}, NOTHING),
    ("whether a life is threatened, where it names no victim", {"urgency": None},
     Expected("OFFER", None, (SECRET,))),
    ("whom it concerns, where it names nobody", {"subject_class": None}, Expected("OFFER", None, (SECRET,))),
    ("nothing that the statute asks for", {"special_category": None, "assertion": None, "purpose": None},
     Expected("OFFER", None, (SECRET,))),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
def test_what_is_unknown_is_withheld_or_a_person_is_asked(changes: dict[str, Any], expected: Expected) -> None:
    assert summarise(make_decider(make_law(), AGREEMENT)(make_record(**changes))) == expected


def test_without_an_assessment_of_reciprocity_nothing_is_sent() -> None:
    decide = make_decider(make_law(reciprocity=None), AGREEMENT)
    assert {decide(record).outcome for _, record in list_items()} == {"WITHHOLD"}
    (undecided,) = decide(make_record()).undecided
    assert (undecided.rule, undecided.fact) == ("xc.police-10", "recipient.reciprocity")


# --- What the page promises ---


def test_no_copy_of_the_treaty_table_is_needed() -> None:
    law = find_law("XC", PACKS)
    assert not (PACKS / "treaties.yaml").exists()
    assert law.treaties.text == load_shipped_treaties().text
    assert not law.treaties.covers("XC")


def test_every_rule_has_cases_of_four_kinds_and_each_passes() -> None:
    law, cases = find_law("XC", PACKS), load_cases(PACK)
    assert cases is not None
    assert [result.differences for result in run_cases(cases, law.pack, law.treaties) if result.differences] == []
    own = {rule.id for rule in law.pack.rules if not rule.is_common}
    assert {(case.rule, case.kind) for case in cases.cases} == set(product(own, CASE_KINDS))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Any]:
    """Run `sharing` with these packs, and return the JSON that it prints."""
    for name in [name for name in os.environ if name.startswith("SHARING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARING_PACKS", str(PACKS))
    monkeypatch.setenv("SHARING_HOME", str(tmp_path / "home"))

    def run(*arguments: str | Path, exit_code: int = 0) -> Any:
        monkeypatch.setattr(sys, "argv", ["sharing", "law", *map(str, arguments), "--json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main()
        printed = capsys.readouterr()
        assert (exited.value.code or 0) == exit_code, printed
        return json.loads(printed.out)

    return run


def test_lint_finds_only_what_the_page_expects(call: Callable[..., Any]) -> None:
    findings = call("lint", "XC", "--at", "2026-03-01")["findings"]
    own = {(each["severity"], each["code"]) for each in findings if each["file"] == PACK.name}
    assert own == {("warning", "two-approvers"), ("warning", "unverified")}


def test_a_case_fails_for_each_changed_rule(call: Callable[..., Any]) -> None:
    (score,) = call("mutate", "XC", "--equivalent", FOLDER / "equivalent_mutants.yaml")
    assert score["killed"] == score["mutants"] - 1 > 100


def write_item(folder: Path, **changes: Any) -> Path:
    path = folder / "xc.jsonl"
    path.write_text(Indicator.parse(make_record(**changes)).to_json() + "\n", encoding="utf-8")
    return path


AT = ("--at", "2026-03-01T12:00:00Z")


def test_explain_names_the_sections(call: Callable[..., Any], tmp_path: Path) -> None:
    item = write_item(tmp_path, **VICTIM, urgency="EMERGENCY", **ANSWERED)
    printed = json.dumps(call("explain", item, "--state", "XC", "--directory", FOLDER / "states.yaml", *AT))
    for expected in ("HOLD", "COMMISSIONER", "BILATERAL:XA-2024", "xc.police-10", "xc.police-12", "xc.police-14"):
        assert f'"{expected}"' in printed


def test_questions_ask_for_what_is_missing(call: Callable[..., Any], tmp_path: Path) -> None:
    item = write_item(tmp_path, **{"offence.max_penalty_years": None, "form": None})
    questions = call("questions", "XC", item, "--to", "XA", "--directory", FOLDER / "states.yaml", *AT)
    assert {question["fact"] for question in questions} == {"offence.max_penalty_years", "form"}


def test_compare_shows_a_lost_exception_and_a_lower_limit(call: Callable[..., Any], tmp_path: Path) -> None:
    text = PACK.read_text(encoding="utf-8")
    candidate = tmp_path / "xc.yaml"
    candidate.write_text(text.replace("at_least: 4", "at_least: 3"), encoding="utf-8")
    opened = call("compare", PACK, candidate, *AT)
    assert opened["opens"]
    assert not opened["closes"]
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("    exception:")]
    candidate.write_text("".join(lines), encoding="utf-8")
    closed = call("compare", PACK, candidate, *AT)
    assert closed["closes"]
    assert not closed["opens"]


def test_an_offer_reaches_the_police_of_the_other_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("SHARING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARING_HOME", str(tmp_path / "home"))
    with EmbeddedBroker() as broker:
        for topic in list_topics(["XA", "XC"], partitions=1).values():
            broker.create_topics([topic.name], partitions=topic.partitions)
        for entry in read_directory().entries.values():
            announce_entry(broker.bootstrap, entry)
        monkeypatch.setenv("SHARING_BOOTSTRAP", broker.bootstrap)
        monkeypatch.setenv("SHARING_PACKS", str(PACKS))
        with _run_gate(tmp_path / "gate.log"):
            with Publisher(broker.bootstrap, "XC", "Test police") as publisher:
                publisher.publish(Indicator.parse(make_record()))
            wait_until(lambda: read_topic(broker.bootstrap, OFFERS, "XA") != [], "the offer arrives")
        (offer,) = read_topic(broker.bootstrap, OFFERS, "XA")
        assert read_topic(broker.bootstrap, NOTICES, "XA") == []
    assert offer.data["basis"] == "BILATERAL:XA-2024"
    sent_on = offer.data["sent_at"].date()
    expected = decide_from_the_statute(list_items()[0][0]._replace(years=4, day=sent_on)).duties
    assert tuple(sorted((each["kind"], each["text"]) for each in offer.data["conditions"])) == expected


@contextmanager
def _run_gate(log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        command = [sys.executable, "-c", "from sharing.cli import main; main()", "gate", "--state", "XC"]
        gate = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield
            gate.send_signal(signal.SIGTERM)
            assert gate.wait(240) == 0, log.read_text(encoding="utf-8")
        finally:
            gate.kill()
            gate.wait(240)
