"""The law on the shelf: which pack is whose law, templates that a member State adopts, versions by their hash."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sharing.errors import InputError, PackError
from sharing.law.cases import parse_cases, run_cases
from sharing.law.decision_context import DecisionContext
from sharing.law.pack_code import normalise_pack_code
from sharing.law.pack_reader import law_digest, parse_pack
from sharing.model.audience import Audience
from sharing.model.decision import Reason
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.indicator import Indicator
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.packs.archive import find_version
from sharing.packs.library import (
    Law,
    common_rules,
    find_law,
    find_pack,
    pack_files,
    read_law,
    shipped_states,
    shipped_treaties,
)

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

DIRECTORY = Directory(
    {
        "DE": DirectoryEntry.read(
            {"state": "DE", "announced_at": "2026-01-01T00:00:00Z", "authority": {"name": "n", "kind": "POLICE"}}
        )
    }
)
NOW_MS = to_milliseconds(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC))
ITEM: dict[str, Any] = {
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
    assert [normalise_pack_code(text) for text in ("eu", " EU ", "uk", "ch")] == ["EU", "EU", "GB", "CH"]
    with pytest.raises(InputError):
        normalise_pack_code("EFTA")
    with pytest.raises(PackError, match="; or EU for a template"):
        parse_pack(TEMPLATE.replace("state: EU", "state: XX"), "xx.yaml", shipped_treaties(), common_rules())


def _sit(law: Law) -> DecisionContext:
    return DecisionContext.open(law.pack, law.treaties, DIRECTORY, NOW_MS)


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


# --- A folder of one's own: treaty table and common rules ---


def _own_table(folder: Path, *, text: str = "") -> None:
    (folder / "treaties.yaml").write_text(
        text or shipped_treaties().text.replace("CH: 2012-01-01", "CH: 2012-01-01, XA: 2020-01-01")
    )


def test_a_table_of_ones_own_takes_the_place_of_the_shipped_one(folder: Path) -> None:
    shipped = find_law("AT", folder, "EU")
    _own_table(folder)
    own = find_law("AT", folder, "EU")
    assert (shipped.treaties.covers("XA"), own.treaties.covers("XA")) == (False, True)
    assert own.treaties.common("AT", "XA", dt.date(2026, 3, 1)) == frozenset({"BUDAPEST"})
    assert own.pack.sha256 != shipped.pack.sha256
    assert find_law("CH").treaties is shipped_treaties()


def test_it_is_no_pack(folder: Path) -> None:
    _own_table(folder)
    assert [place.name for place in pack_files(folder)] == ["eu.yaml"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("CH: 2012-01-01", "CH: 2012-01-01, XC: 2020-01-01", r"treaties\.yaml:\d+: instruments\.BUDAPEST\.parties\.XC"),
        ("memberships:", "membership:", r"treaties\.yaml:\d+: membership: unknown field; did you mean 'memberships'"),
    ],
)
def test_it_is_read_as_strictly(folder: Path, old: str, new: str, expected: str) -> None:
    _own_table(folder, text=shipped_treaties().text.replace(old, new, 1))
    with pytest.raises(PackError, match=expected):
        find_law("AT", folder, "EU")


def test_common_rules_of_ones_own_are_refused(folder: Path) -> None:
    own = folder / "common.yaml"
    own.write_text(common_rules().text)  # as it comes with a copy of the shipped folder
    assert find_law("AT", folder, "EU").pack.state == "AT"
    own.write_text(common_rules().text.replace("effect: DENY", "effect: RECORD"))
    with pytest.raises(PackError, match=r"common\.yaml: differs from the common rules .* cannot be replaced"):
        find_law("AT", folder, "EU")


def test_a_test_state_gets_and_gives_only_what_a_table_of_ones_own_allows(folder: Path) -> None:
    """`XA` in place of a real State: nobody looked its treaties up, so everything is withheld, both ways."""
    allowed = TEMPLATE.replace(", recipient.eu: true", "").replace("[AT, DE, FR]", "[AT, DE, XA]")
    (folder / "eu.yaml").write_text(allowed)
    (folder / "xa.yaml").write_text(allowed.replace("state: EU", "state: XA"))
    outcomes = []
    for _ in range(2):
        for state in ("AT", "XA"):
            sitting = _sit(find_law(state, folder, "EU" if state == "AT" else None))
            record = Indicator.read({**ITEM, "source": {**ITEM["source"], "state": state}}).to_wire()
            to = "XA" if state == "AT" else "AT"
            authorities = replace(sitting.law, authorities={to: "POLICE"})
            verdict = authorities.decide(record, Audience(((to, (Reason(RelevanceKind.NEXUS_STATED, "r"),)),)), NOW_MS)
            outcomes.append({one.state: (one.outcome, one.basis) for one in verdict.recipients}[to])
        _own_table(folder)
    withheld, open_ = (Outcome.WITHHOLD, None), (Outcome.DISCLOSE, "BUDAPEST")
    assert outcomes == [withheld, withheld, open_, open_]


# --- Versions, by their hash ---

AMENDED = (
    TEMPLATE.replace("version: 2026.1", "version: 2026.2")
    .replace("consolidated_at: 2026-01-01", "consolidated_at: 2026-02-01")
    .replace("recipient.eu: true", "recipient.eu: true, personal_data: false")
)


@pytest.fixture
def kept(folder: Path) -> tuple[Path, str]:
    """A folder whose template was amended, with the version before in the archive; and its hash."""
    before = find_pack("EU", folder).pack.sha256
    (folder / "archive").mkdir()
    (folder / "eu.yaml").rename(folder / "archive" / "eu-2026.1.yaml")
    (folder / "eu.yaml").write_text(AMENDED)
    return folder, before


def test_an_old_decision_is_replayed_byte_for_byte(
    kept: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, before = kept
    record = Indicator.read(ITEM).to_wire()
    alone = tmp_path_factory.mktemp("before")
    (alone / "eu.yaml").write_text(TEMPLATE)
    recorded = _sit(find_law("AT", alone, "EU")).decision(record, NOW_MS).to_json()
    assert _sit(find_law("AT", folder, "EU")).decision(record, NOW_MS).to_json() != recorded
    law = find_version("AT", before, folder, "EU")
    assert (law.pack.state, law.pack.version, law.pack.sha256) == ("AT", "2026.1", before)
    assert _sit(law).decision(record, NOW_MS).to_json() == recorded


def test_the_version_of_today_has_a_hash_too(kept: tuple[Path, str]) -> None:
    folder, _ = kept
    now = find_pack("EU", folder).pack
    assert find_version("AT", now.sha256.upper(), folder, "EU").pack.version == "2026.2"
    assert find_version("AT", now.sha256[:16], folder, "EU").pack.sha256 == now.sha256
    assert find_version("CH", find_law("CH").pack.sha256).pack == find_law("CH").pack


def test_a_hash_that_is_not_there_names_those_that_are(kept: tuple[Path, str]) -> None:
    folder, before = kept
    now = find_pack("EU", folder).pack.sha256
    with pytest.raises(InputError) as caught:
        find_version("AT", "0" * 64, folder, "EU")
    assert str(caught.value) == (
        f"no version of pack EU has SHA-256 {'0' * 64}; there are eu.yaml ({now[:16]}), archive/eu-2026.1.yaml "
        f"({before[:16]}); put the version that decided, and the treaties.yaml of its day, into archive/"
    )


@pytest.mark.parametrize("text", ["", "abc", "0" * 15, "0" * 65, "x" * 64])
def test_what_is_no_hash_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(InputError, match="a SHA-256 has 64 hexadecimal digits; the first 16 will do"):
        find_version("AT", text, folder, "EU")


def test_a_hash_of_another_states_pack_is_not_found(kept: tuple[Path, str]) -> None:
    folder, before = kept
    (folder / "at.yaml").write_text(TEMPLATE.replace("state: EU", "state: AT"))
    with pytest.raises(
        PackError, match=r"archive/eu-2026\.1\.yaml: state: is the law of EU, in the place of that of AT"
    ):
        find_version("AT", before, folder)


def test_the_treaty_table_of_that_day_is_kept_too(kept: tuple[Path, str]) -> None:
    folder, before = kept
    _own_table(folder)
    assert find_version("AT", before, folder, "EU").treaties.covers("XA") is False  # that of the installation
    with_own = find_pack("EU", folder).pack.sha256
    (folder / "treaties.yaml").rename(folder / "archive" / "treaties-2026.yaml")
    _own_table(folder, text=shipped_treaties().text + "\n# later\n")
    assert find_pack("EU", folder).pack.sha256 != with_own
    assert find_version("AT", with_own, folder, "EU").treaties.covers("XA")


def test_common_rules_of_an_earlier_release_are_kept_for_replay_only(kept: tuple[Path, str]) -> None:
    folder, _ = kept
    earlier = common_rules().text + "\n# an earlier release\n"
    (folder / "archive" / "common-0.0.yaml").write_text(earlier)
    before = law_digest(AMENDED, earlier, shipped_treaties().text)
    assert find_version("AT", before, folder, "EU").pack.version == "2026.2"
    assert find_pack("EU", folder).pack.sha256 != before


def test_two_versions_of_a_rule_in_one_pack_decide_each_on_its_days(folder: Path) -> None:
    two = TEMPLATE.replace(
        "valid: {from: 2020-01-01},\n     when: {form: INFORMATION, recipient.eu: true}",
        "valid: {from: 2020-01-01, to: 2026-06-30},\n     when: {form: INFORMATION, recipient.eu: true}",
    ) + (
        "  - {id: eu.permit, citation: art. 1 as amended, paraphrase: p, source: K, verified: false,\n"
        "     valid: {from: 2026-07-01}, when: {form: INFORMATION, recipient.eu: true, personal_data: false},"
        " effect: PERMIT}\n"
    )
    (folder / "eu.yaml").write_text(two)
    law = find_law("AT", folder, "EU")
    came = {}
    for instant in ("2026-06-30T23:59:59.999Z", "2026-07-01T00:00:00Z"):
        now_ms = to_milliseconds(dt.datetime.fromisoformat(instant))
        sitting = DecisionContext.open(law.pack, law.treaties, DIRECTORY, now_ms)
        recipients = sitting.decision(Indicator.read(ITEM).to_wire(), now_ms).recipients
        recipient = next(one for one in recipients if one.state == "DE")
        came[instant[:10]] = (
            recipient.outcome,
            [rule.citation for rule in recipient.rules],
            [(entry.rule, entry.fact) for entry in recipient.undecided],
        )
    assert came == {
        "2026-06-30": (Outcome.DISCLOSE, ["art. 2", "art. 1"], []),
        "2026-07-01": (Outcome.WITHHOLD, ["art. 2"], [("eu.permit", "personal_data")]),
    }
