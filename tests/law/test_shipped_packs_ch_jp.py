"""Complete closed lists: for CH and JP, exactly these values lead to a disclosure, and no other value does.

The cases of a pack test single points. They would not notice a permission that is widened by one more authority, way of
collection or purpose. These tests try every value of each list, and compare the result with an independent table.
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
from typing import Any

import pytest

from sharing.law.cases import CaseFile
from sharing.law.cases.runs import decide_for_recipient
from sharing.law.facts import FACTS, FactScope
from sharing.model.decision import RecipientDecision
from sharing.model.indicator import Indicator
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import OffenceCode, Outcome
from sharing.packs.library import Law, find_law, list_pack_files, load_cases
from tests.law.scenarios import NOW_MS, write_item

JUSTICE = {"PROSECUTOR", "COURT"}
NO_CAPITAL_CHARGE = frozenset(map(str, OffenceCode)) - {
    "CHILD_ABUSE_MATERIAL",
    "CHILD_SOLICITATION",
    "OTHER_SERIOUS_CRIME",
}

CH_EVIDENCE = {"source.authority": "PROSECUTOR", "form": "EVIDENCE", "collection": "SEARCH"}
CH_LEAD = {"source.authority": "PROSECUTOR", "form": "INFORMATION", "secrecy_domain": True, "enables_request": True}
CH_POLICE = {"source.authority": "POLICE", "form": "INFORMATION", "collection": "OPEN_SOURCE"}
CH_REPORT = {
    "source.authority": "FIU",
    "form": "INFORMATION",
    "collection": "FIU_REPORT",
    "offence.codes": ["LAUNDERING"],
    "secrecy_domain": True,
}
JP_POLICE: dict[str, Any] = {}
JP_NAME = {"personal_data": True, "findings.statutory_ground": True}
JP_TRADE = {"source.authority": "OTHER", "collection": "TRADE_CONTROL"}
JP_REPORT = {"source.authority": "FIU", "collection": "FIU_REPORT", "offence.codes": ["LAUNDERING"]}

CH_LIFE = {"form": "INFORMATION", "urgency": "EMERGENCY", "purpose": "PUBLIC_SECURITY", "enables_request": True}
JP_LIFE = {**CH_LIFE, "findings.case_file_disclosure_appropriate": True}
JP_LIFE_NAME = {**JP_LIFE, "personal_data": True, "findings.special_circumstances": True}


def _load_law(state: str) -> tuple[Law, CaseFile]:
    pack_file = next(file for file in list_pack_files() if file.name == f"{state.lower()}.yaml")
    cases = load_cases(pack_file)
    assert cases is not None
    return find_law(state), cases


LAWS = {state: _load_law(state) for state in ("CH", "JP")}


def _decide(
    state: str, given: dict[str, Any], to: str, authority: str, treaty_basis: str | None = None, at: str | None = None
) -> RecipientDecision:
    """Decide on the base of the State's cases, with some facts changed by their dotted names."""
    law, cases = LAWS[state]
    data = copy.deepcopy(cases.base.indicator)
    for name, value in given.items():
        *parents, last = name.split(".")
        container = data
        for parent in parents:
            container = container.setdefault(parent, {})
        container[last] = value
    record = Indicator.parse({"id": "00000000-0000-4000-8000-000000000000", **data}).to_record()
    overrides = {} if treaty_basis is None else {"treaty_basis": treaty_basis}
    now = cases.base.at if at is None else dt.datetime.fromisoformat(at)
    return decide_for_recipient(law.pack, law.treaties, record, to, authority, to_milliseconds(now), overrides)


def _is_disclosed(state: str, given: dict[str, Any], to: str, authority: str, treaty_basis: str | None = None) -> bool:
    return _decide(state, given, to, authority, treaty_basis).outcome is not Outcome.WITHHOLD


@pytest.mark.parametrize(
    ("state", "given", "to", "pairs"),
    [
        pytest.param("CH", CH_EVIDENCE, "DE", set(itertools.product(JUSTICE, JUSTICE)), id="ch-evidence"),
        pytest.param("CH", CH_LEAD, "DE", set(itertools.product(JUSTICE, JUSTICE)), id="ch-lead"),
        pytest.param(
            "CH",
            CH_POLICE,
            "DE",
            {*itertools.product(JUSTICE, JUSTICE), ("POLICE", "POLICE"), ("POLICE", "PROSECUTOR")},
            id="ch-schengen",
        ),
        pytest.param(
            "CH", CH_POLICE, "GB", {*itertools.product(JUSTICE, JUSTICE), ("POLICE", "POLICE")}, id="ch-interpol"
        ),
        pytest.param("CH", CH_REPORT, "DE", {("FIU", "FIU")}, id="ch-report"),
        pytest.param("JP", JP_POLICE, "DE", {("POLICE", "POLICE"), ("POLICE", "PROSECUTOR")}, id="jp-police"),
        pytest.param("JP", JP_NAME, "DE", {("POLICE", "POLICE"), ("POLICE", "PROSECUTOR")}, id="jp-name"),
        pytest.param("JP", JP_TRADE, "DE", {("OTHER", "OTHER")}, id="jp-trade"),
        pytest.param("JP", JP_REPORT, "DE", {("FIU", "FIU")}, id="jp-report"),
        pytest.param(
            "CH",
            CH_LIFE,
            "GB",
            {*itertools.product({"PROSECUTOR"}, {"POLICE", *JUSTICE}), ("POLICE", "POLICE"), ("POLICE", "PROSECUTOR")},
            id="ch-life",
        ),
        pytest.param("JP", JP_LIFE, "DE", {("POLICE", "POLICE"), ("POLICE", "PROSECUTOR")}, id="jp-life"),
        pytest.param("JP", JP_LIFE_NAME, "DE", {("POLICE", "POLICE"), ("POLICE", "PROSECUTOR")}, id="jp-life-name"),
    ],
)
def test_only_these_pairs_of_authorities_may_share(
    state: str, given: dict[str, Any], to: str, pairs: set[tuple[str, str]]
) -> None:
    """Every kind of providing authority with every kind of receiving authority."""
    found = {
        (source, recipient)
        for source, recipient in itertools.product(
            FACTS["source.authority"].values, FACTS["recipient.authority"].values
        )
        if _is_disclosed(state, {**given, "source.authority": source}, to, recipient)
    }
    assert found == pairs


OPEN = {"OPEN_SOURCE", "VOLUNTARY"}
OWN = {*OPEN, "SEARCH", "SUBSCRIBER_DATA", "UNDERCOVER"}
TELECOM = {"TRAFFIC_DATA", "CONTENT_DATA", "INTERCEPTION"}
FILE = {"SEARCH", "SUBSCRIBER_DATA", "TRAFFIC_DATA", "CONTENT_DATA", "UNDERCOVER"}
LIFE = {*OWN, "FOREIGN_STATE"}


@pytest.mark.parametrize(
    ("state", "given", "to", "authority", "fact", "values"),
    [
        pytest.param("CH", CH_EVIDENCE, "DE", "PROSECUTOR", "collection", OWN, id="ch-evidence-collection"),
        pytest.param("CH", CH_LEAD, "DE", "PROSECUTOR", "collection", OWN | TELECOM, id="ch-lead-collection"),
        pytest.param("CH", CH_POLICE, "DE", "POLICE", "collection", OWN, id="ch-schengen-collection"),
        pytest.param("CH", CH_POLICE, "GB", "POLICE", "collection", OWN, id="ch-interpol-collection"),
        pytest.param("CH", CH_REPORT, "DE", "FIU", "collection", {"FIU_REPORT"}, id="ch-report-collection"),
        pytest.param("JP", JP_POLICE, "DE", "POLICE", "collection", OPEN, id="jp-police-collection"),
        pytest.param("JP", JP_NAME, "DE", "POLICE", "collection", {*OPEN, "FOREIGN_STATE"}, id="jp-name-collection"),
        pytest.param("CH", CH_LIFE, "GB", "PROSECUTOR", "collection", OWN, id="ch-life-collection"),
        pytest.param(
            "CH",
            {**CH_LIFE, "secrecy_domain": True},
            "GB",
            "PROSECUTOR",
            "collection",
            OWN | TELECOM,
            id="ch-life-secret-collection",
        ),
        pytest.param(
            "CH",
            {**CH_LIFE, "source.authority": "POLICE", "secrecy_domain": True},
            "GB",
            "POLICE",
            "collection",
            LIFE | TELECOM,
            id="ch-police-life-collection",
        ),
        pytest.param("JP", JP_LIFE, "DE", "POLICE", "collection", FILE | LIFE, id="jp-life-collection"),
        pytest.param("JP", JP_LIFE_NAME, "DE", "POLICE", "collection", FILE | LIFE, id="jp-life-name-collection"),
        pytest.param("JP", JP_TRADE, "DE", "OTHER", "collection", {"TRADE_CONTROL"}, id="jp-trade-collection"),
        pytest.param("JP", JP_REPORT, "DE", "FIU", "collection", {"FIU_REPORT"}, id="jp-report-collection"),
        pytest.param(
            "CH", CH_EVIDENCE, "DE", "PROSECUTOR", "purpose", {"INVESTIGATION", "PROSECUTION"}, id="ch-evidence-purpose"
        ),
        pytest.param(
            "CH", CH_LEAD, "DE", "PROSECUTOR", "purpose", {"INVESTIGATION", "PROSECUTION"}, id="ch-lead-purpose"
        ),
        pytest.param(
            "CH",
            CH_POLICE,
            "DE",
            "POLICE",
            "purpose",
            {"PREVENTION", "DETECTION", "INVESTIGATION", "PROSECUTION"},
            id="ch-schengen-purpose",
        ),
        pytest.param(
            "CH",
            CH_POLICE,
            "GB",
            "POLICE",
            "purpose",
            {"DETECTION", "INVESTIGATION", "PROSECUTION", "EXECUTION", "PREVENTION", "PUBLIC_SECURITY"},
            id="ch-interpol-purpose",
        ),
        pytest.param(
            "JP", JP_POLICE, "DE", "POLICE", "purpose", {"DETECTION", "INVESTIGATION", "PROSECUTION"}, id="jp-purpose"
        ),
        pytest.param(
            "CH", CH_EVIDENCE, "DE", "PROSECUTOR", "form", {"EVIDENCE", "INFORMATION", "EXISTENCE"}, id="ch-form"
        ),
        *(
            pytest.param(state, given, "DE", authority, "form", {"INFORMATION", "EXISTENCE"}, id=f"{state}-{name}-form")
            for state, name, given, authority in (
                ("CH", "lead", CH_LEAD, "PROSECUTOR"),
                ("CH", "police", CH_POLICE, "POLICE"),
                ("CH", "report", CH_REPORT, "FIU"),
                ("JP", "police", JP_POLICE, "POLICE"),
                ("JP", "name", JP_NAME, "POLICE"),
                ("JP", "trade", JP_TRADE, "OTHER"),
                ("JP", "report", JP_REPORT, "FIU"),
            )
        ),
    ],
)
def test_only_these_values_lead_to_a_disclosure(
    state: str, given: dict[str, Any], to: str, authority: str, fact: str, values: set[str]
) -> None:
    """Every value of a closed list, in an item that is disclosed for the listed ones; the State of origin consents."""
    item = {**given, "origin.state": "FR", "origin.consent": True}
    found = {value for value in FACTS[fact].values if _is_disclosed(state, {**item, fact: value}, to, authority)}
    assert found == values


@pytest.mark.parametrize("code", sorted(map(str, OffenceCode)))
@pytest.mark.parametrize(
    ("state", "given", "authority", "capital"),
    [
        pytest.param("CH", CH_EVIDENCE, "PROSECUTOR", Outcome.WITHHOLD, id="ch"),
        pytest.param("JP", JP_POLICE, "POLICE", Outcome.HOLD, id="jp"),
    ],
)
def test_the_death_penalty_risk_depends_on_the_offence(
    state: str, given: dict[str, Any], authority: str, capital: Outcome, code: str
) -> None:
    """For the United States, only the three codes may carry a capital charge."""
    decision = _decide(state, {**given, "offence.codes": [code]}, "US", authority)
    fiscal = state == "CH" and code == "SANCTIONS_EVASION"  # withheld by IMAC art. 3(3), whatever the penalty
    assert (decision.outcome is capital) is (code not in NO_CAPITAL_CHARGE or fiscal)


@pytest.mark.parametrize("code", sorted(map(str, OffenceCode)))
def test_for_japan_only_an_unknown_crime_may_be_capital(code: str) -> None:
    """Without the assurance it is withheld, and the evasion of sanctions by IMAC art. 3(3); nothing else is asked."""
    item = {**CH_EVIDENCE, "enables_request": True, "offence.codes": [code]}
    assert _is_disclosed("CH", item, "JP", "PROSECUTOR") is (code not in {"OTHER_SERIOUS_CRIME", "SANCTIONS_EVASION"})
    assured = {**item, "findings.death_penalty_assurance": True}
    assert _is_disclosed("CH", assured, "JP", "PROSECUTOR") is (code != "SANCTIONS_EVASION")


@pytest.mark.parametrize("code", sorted(map(str, OffenceCode)))
def test_a_swiss_report_needs_the_offence_of_laundering(code: str) -> None:
    """AMLA art. 30: no other code alone leads to a disclosure."""
    assert _is_disclosed("CH", {**CH_REPORT, "offence.codes": [code]}, "DE", "FIU") is (code == "LAUNDERING")


@pytest.mark.parametrize("basis", [*LAWS["JP"][0].treaties.instruments, "NONE"])
def test_the_outcome_depends_on_the_treaty_basis(basis: str) -> None:
    """Japanese police need the Convention on Cybercrime; Swiss evidence is held if no treaty covers it."""
    assert _is_disclosed("JP", JP_POLICE, "DE", "POLICE", basis) is (basis == "BUDAPEST")
    held = _decide("CH", CH_EVIDENCE, "DE", "PROSECUTOR", basis).outcome is Outcome.HOLD
    assert held is (basis == "NONE")


SCHENGEN = ("AT", "BE", "DE", "DK", "ES", "FI", "FR", "IT", "NL", "NO", "PL", "SE")
OUTCOMES = {
    "CH": {
        **dict.fromkeys(SCHENGEN, ("DISCLOSE", "OFFER")),
        "GB": ("DISCLOSE", "OFFER"),
        "AU": ("DISCLOSE", "WITHHOLD"),
        "CA": ("DISCLOSE", "WITHHOLD"),
        "JP": ("DISCLOSE", "WITHHOLD"),
        "US": ("DISCLOSE", "WITHHOLD"),
    },
    "JP": {
        **dict.fromkeys(SCHENGEN, ("DISCLOSE", "OFFER")),
        "GB": ("DISCLOSE", "OFFER"),
        "AU": ("DISCLOSE", "HOLD"),
        "CA": ("DISCLOSE", "HOLD"),
        "CH": ("DISCLOSE", "HOLD"),
        "US": ("DISCLOSE", "HOLD"),
    },
}


@pytest.mark.parametrize("state", ["CH", "JP"])
def test_the_outcome_for_each_state(state: str) -> None:
    """A hash and a name from police, for every State of the treaty table; States without an assessment get nothing."""
    hash_item = CH_POLICE if state == "CH" else JP_POLICE
    name_item = {**hash_item, "personal_data": True, "findings.statutory_ground": True}
    law = LAWS[state][0]
    states = {party for instrument in law.treaties.instruments.values() for party in instrument.parties} - {state}
    found = {
        to: tuple(str(_decide(state, item, to, "POLICE").outcome) for item in (hash_item, name_item)) for to in states
    }
    assert found == {to: OUTCOMES[state].get(to, ("WITHHOLD", "WITHHOLD")) for to in states}


NOBODY_CAN_REPLACE = {
    ("CH", "collection"),  # telecommunications are secret by nature, tax records and trade control are barred
    ("CH", "personal_data"),  # the prosecutor, and the conditions on personal data, depend on it
    ("JP", "collection"),  # an interception never leaves
    ("JP", "personal_data"),  # which permission there is depends on it
}
ASSURANCE = ("CH", "findings.death_penalty_assurance", "US")


def _list_questions(state: str) -> list[str]:
    """Return what the State's own rules ask an officer, apart from sender, type, form and urgency."""
    tested = [
        conjunction.list_fact_names()
        for rule in LAWS[state][0].pack.rules
        if not rule.is_common
        for conjunction in (rule.when, *((rule.exception.when,) if rule.exception else ()))
    ]
    known = {"source.authority", "form", "offence.codes", "urgency"}
    return [
        name
        for name in sorted({fact for facts in tested for fact in facts} - known)
        if FACTS[name].scope is FactScope.INDICATOR and not name.startswith("origin.")
    ]


@pytest.mark.parametrize("state", ["CH", "JP"])
def test_two_missing_answers_do_not_refuse_an_emergency(state: str) -> None:
    """The police answer all but two questions about a child in danger: it leaves, or a person is asked."""
    questions = _list_questions(state)
    assert len(questions) >= 8
    law = LAWS[state][0]
    wrong = []
    for missing in itertools.combinations_with_replacement(questions, 2):
        emergency = write_item("EMERGENCY", state)
        for name in missing:
            emergency.pop(name, None)
            emergency["findings"].pop(name.removeprefix("findings."), None)
        record = Indicator.parse(emergency).to_record()
        for to in OUTCOMES[state]:
            outcome = decide_for_recipient(law.pack, law.treaties, record, to, "POLICE", NOW_MS, {}).outcome
            is_refused = any((state, name) in NOBODY_CAN_REPLACE or (state, name, to) == ASSURANCE for name in missing)
            if (outcome is Outcome.WITHHOLD) is not is_refused:
                wrong.append((missing, to, outcome))
    assert wrong == []


@pytest.mark.parametrize("state", ["CH", "JP"])
def test_reports_may_go_to_every_assessed_state(state: str) -> None:
    """Reciprocity, equal secrecy and sole purpose are assessed for all of them."""
    report = CH_REPORT if state == "CH" else JP_REPORT
    assert all(_is_disclosed(state, report, to, "FIU") for to in OUTCOMES[state])


def test_a_withdrawal_discloses_nothing() -> None:
    """`common.withdrawn` withholds a withdrawal, but not a superseding version. A case file cannot set `version`."""
    withdrawn = _decide("CH", {**CH_POLICE, "action": "WITHDRAW", "version": 2, "reason": "mistaken"}, "DE", "POLICE")
    assert withdrawn.outcome is Outcome.WITHHOLD
    assert [rule.id for rule in withdrawn.rules] == ["ch.led-25", "common.withdrawn"]
    superseded = _decide("CH", {**CH_POLICE, "action": "SUPERSEDE", "version": 2}, "DE", "POLICE")
    assert superseded.outcome is Outcome.DISCLOSE


@pytest.mark.parametrize(("day", "rules"), [("1970-01-01", ["common.withdrawn"]), ("1969-12-31", [])])
def test_withdrawal_has_a_first_day(day: str, rules: list[str]) -> None:
    """The rule is in force since 1970, like the other rules of the bus."""
    item = {**CH_POLICE, "action": "WITHDRAW", "version": 2, "reason": "mistaken"}
    decision = _decide("CH", item, "DE", "POLICE", at=f"{day}T12:00:00+00:00")
    assert [rule.id for rule in decision.rules] == rules
