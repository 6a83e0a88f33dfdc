"""The law on the shelf: which pack is whose law, templates that a member State adopts, versions by their hash."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from sharing.errors import InputError, PackError
from sharing.law.cases import parse_cases, run_cases
from sharing.law.pack import pack_code
from sharing.law.pack_reader import parse_pack
from sharing.law_library import Law, common_rules, find_law, find_pack, read_law, shipped_states, treaties
from sharing.model.audience import Audience
from sharing.model.decision import Reason
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.sitting import Sitting

TEMPLATE = """\
state: EU
version: 2026.1
title: Law that member States share
disclaimer: None of this is law.
consolidated_at: 2026-01-01
maintainers: []
treaty_preference: [BUDAPEST]
assessments:
  - {states: [AT, DE, FR], date: 2026-01-01, source: invented,
     facts: {mistreatment_risk: false, persecution_risk: false}}
rules:
  - {id: eu.permit, citation: art. 1, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {form: INFORMATION, recipient.eu: true}, effect: PERMIT}
  - {id: eu.oblige, citation: art. 2, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {recipient.state: [AT, DE, FR], offence.codes: LAUNDERING}, effect: OBLIGE}
"""

CASES = """\
base:
  providing: AT
  indicator: {type: domain-name, value: a.example, source: {state: AT, agency: A, authority: POLICE},
    form: INFORMATION, offence: {codes: [LAUNDERING]}, live_case_harm: false, character: [],
    nexus: [{state: DE, reason: r}]}
  recipient: DE
  authority: POLICE
  at: 2026-03-01T12:00:00Z
cases:
  - {name: To a member State, rule: eu.permit, kind: decides,
     expect: {outcome: DISCLOSE, basis: BUDAPEST, obligation: true}}
  - {name: To another, rule: eu.permit, kind: outside, recipient: CH,
     expect: {outcome: WITHHOLD, basis: BUDAPEST}}
"""

NOW_MS = to_milliseconds(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC))
ITEM = {
    "id": "00000000-0000-4000-8000-000000000000",
    "type": "domain-name",
    "value": "a.example",
    "source": {"state": "AT", "agency": "A", "authority": "POLICE"},
    "form": "INFORMATION",
    "offence": {"codes": ["LAUNDERING"]},
    "live_case_harm": False,
    "character": [],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of packs with a template."""
    (tmp_path / "eu.yaml").write_text(TEMPLATE)
    return tmp_path


def test_a_member_state_adopts_a_template(folder: Path) -> None:
    law = find_law("at", folder, "eu")
    assert (law.pack.code, law.pack.state, law.pack.is_template) == ("EU", "AT", False)
    written = find_pack("EU", folder).pack
    assert (written.code, written.state, written.is_template) == ("EU", "EU", True)
    assert law.pack.reference == written.reference
    assert law.pack.reference.state == "EU"


def test_a_template_is_nobodys_fallback(folder: Path) -> None:
    for state in ("AT", "DE", "CH"):
        with pytest.raises(InputError, match=f"there is no law pack for {state}; there are EU"):
            find_law(state, folder)
    with pytest.raises(InputError, match="there is no law pack for AT"):
        find_law("AT")
    assert "EU" not in shipped_states()


def test_only_a_state_has_law(folder: Path) -> None:
    with pytest.raises(InputError, match="must be an ISO 3166-1"):
        find_law("EU", folder)
    with pytest.raises(InputError, match="must be an ISO 3166-1"):
        find_law("EU", folder, "EU")


@pytest.mark.parametrize("state", ["CH", "GB", "US"])
def test_who_is_no_member_on_the_day_of_consolidation_cannot_adopt(folder: Path, state: str) -> None:
    with pytest.raises(InputError) as caught:
        find_law(state, folder, "EU")
    assert str(caught.value) == (
        f"pack EU 2026.1 is for member States of the EU, and by the treaty table {state} was none on 2026-01-01; "
        "give that State a pack of its own"
    )


def test_membership_counts_on_the_day_of_consolidation(folder: Path) -> None:
    last, first = "2020-01-31", "2020-02-01"
    (folder / "eu.yaml").write_text(TEMPLATE.replace("consolidated_at: 2026-01-01", f"consolidated_at: {last}"))
    assert find_law("GB", folder, "EU").pack.state == "GB"
    (folder / "eu.yaml").write_text(TEMPLATE.replace("consolidated_at: 2026-01-01", f"consolidated_at: {first}"))
    with pytest.raises(InputError, match=f"GB was none on {first}"):
        find_law("GB", folder, "EU")


def test_a_states_own_pack_is_not_adopted_by_another() -> None:
    with pytest.raises(InputError, match="pack CH is that State's own law; another can adopt only EU"):
        find_law("AT", None, "CH")
    assert find_law("CH", None, "CH").pack.state == "CH"


def test_a_template_in_anothers_place_is_refused(folder: Path) -> None:
    (folder / "at.yaml").write_text(TEMPLATE)
    with pytest.raises(PackError, match=r"at\.yaml: state: is the law of EU, in the place of that of AT"):
        find_law("AT", folder)


def test_a_template_has_no_bilateral_agreements(folder: Path) -> None:
    agreement = "bilateral: {X: {state: CH, valid: {from: 2020-01-01}, condition_model: PRE_ACCEPT, source: K, "
    (folder / "eu.yaml").write_text(TEMPLATE + agreement + "verified: false}}\n")
    with pytest.raises(PackError, match=r"eu\.yaml:\d+: bilateral: a template has none"):
        find_pack("EU", folder)


def test_codes_of_packs() -> None:
    assert [pack_code(text) for text in ("eu", " EU ", "uk", "ch")] == ["EU", "EU", "GB", "CH"]
    with pytest.raises(InputError):
        pack_code("EFTA")
    with pytest.raises(PackError, match="; or EU for a template"):
        parse_pack(TEMPLATE.replace("state: EU", "state: XX"), "xx.yaml", treaties(), common_rules())


def _sit(law: Law) -> Sitting:
    return Sitting.open(law.pack, law.treaties, Directory({}), NOW_MS)


def test_the_adopting_state_provides_and_the_pack_keeps_its_code(folder: Path) -> None:
    sitting = _sit(find_law("AT", folder, "EU"))
    record = Indicator.read(ITEM).to_wire()
    decision = sitting.decision(record, NOW_MS)
    document = json.loads(decision.to_json())
    assert document["state"] == "AT"
    assert document["pack"] == {"state": "EU", "version": "2026.1", "sha256": find_pack("EU", folder).pack.sha256}
    # Obliged by name are AT, DE and FR: the providing State is never its own recipient.
    assert [recipient["state"] for recipient in document["recipients"]] == ["DE", "FR"]


def test_treaties_are_those_of_the_adopting_state(folder: Path) -> None:
    law = find_law("AT", folder, "EU").pack
    assert find_law("IE", folder, "EU").treaties.common("IE", "CH", dt.date(2026, 3, 1)) is not None
    reasons = (Reason(RelevanceKind.NEXUS_STATED, "r"),)
    record = Indicator.read(ITEM).to_wire()
    bases = {}
    for state in ("AT", "IE"):
        sitting = _sit(find_law(state, folder, "EU"))
        verdict = sitting.law.decide(record, Audience((("DE", reasons),)), NOW_MS)
        bases[state] = next(one.basis for one in verdict.recipients if one.state == "DE")
    assert law.treaty_preference == ("BUDAPEST",)
    assert bases == {"AT": "BUDAPEST", "IE": None}  # Ireland signed, and is no party


def test_cases_beside_a_template_say_who_provides(folder: Path) -> None:
    law = find_pack("EU", folder)
    results = list(run_cases(parse_cases(CASES, "eu.cases.yaml"), law.pack, law.treaties))
    assert [result.differences for result in results] == [(), ()]
    assert results[0].decision.outcome is Outcome.DISCLOSE


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "eu.cases.yaml:1: base.providing: is missing: EU is a template, so say which State has adopted it"),
        ("  providing: CH\n", "eu.cases.yaml:2: base.providing: pack EU 2026.1 is for member States of the EU"),
        ("  providing: EU\n", "eu.cases.yaml:2: base.providing: must be an ISO 3166-1"),
    ],
)
def test_cases_of_a_template_without_a_providing_state(folder: Path, line: str, expected: str) -> None:
    law = find_pack("EU", folder)
    with pytest.raises(PackError) as caught:
        list(run_cases(parse_cases(CASES.replace("  providing: AT\n", line), "eu.cases.yaml"), law.pack, law.treaties))
    assert str(caught.value).startswith(expected)


def test_cases_of_a_states_own_pack_are_that_states(folder: Path) -> None:
    (folder / "at.yaml").write_text(TEMPLATE.replace("state: EU", "state: AT"))
    law = read_law(folder / "at.yaml")
    assert all(not result.differences for result in run_cases(parse_cases(CASES, "c"), law.pack, law.treaties))
    with pytest.raises(PackError, match=r"c:2: base.providing: pack AT is that State's own law"):
        list(run_cases(parse_cases(CASES.replace("providing: AT", "providing: DE"), "c"), law.pack, law.treaties))
