"""Loading packs: the pack of each State, templates that a member State adopts, versions by their hash."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from sharing.errors import InputError, PackError
from sharing.law.authorities import list_sole_authorities
from sharing.law.cases import parse_cases
from sharing.law.cases.runs import run_cases
from sharing.law.decision_context import DecisionContext
from sharing.law.reading.pack_reader import compute_law_digest, parse_pack
from sharing.model.indicator import Indicator
from sharing.model.pack_code import normalise_pack_code
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.packs.archive import find_law_version
from sharing.packs.library import (
    Law,
    find_law,
    find_law_by_code,
    list_pack_files,
    list_shipped_states,
    load_common_rules,
    load_law,
    load_shipped_treaties,
)
from sharing.relevance.audience import Audience
from tests.packs.pack_fixtures import AMENDED, CASES, DIRECTORY, ITEM, NOW_MS, TEMPLATE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of packs with a template."""
    (tmp_path / "eu.yaml").write_text(TEMPLATE)
    return tmp_path


def test_a_member_state_adopts_a_template(folder: Path) -> None:
    law = find_law("at", folder, "eu")
    assert (law.pack.code, law.pack.state, law.pack.is_template) == ("EU", "AT", False)
    written = find_law_by_code("EU", folder).pack
    assert (written.code, written.state, written.is_template) == ("EU", "EU", True)
    assert law.pack.reference == written.reference
    assert law.pack.reference.state == "EU"


def test_a_template_is_never_a_fallback(folder: Path) -> None:
    for state in ("AT", "DE", "CH"):
        with pytest.raises(InputError, match=f"there is no law pack for {state}; available packs: EU"):
            find_law(state, folder)
    with pytest.raises(InputError, match="there is no law pack for AT"):
        find_law("AT")
    assert "EU" not in list_shipped_states()


def test_a_template_code_is_not_a_providing_state(folder: Path) -> None:
    with pytest.raises(InputError, match="must be an ISO 3166-1"):
        find_law("EU", folder)
    with pytest.raises(InputError, match="must be an ISO 3166-1"):
        find_law("EU", folder, "EU")


@pytest.mark.parametrize("state", ["CH", "GB", "US"])
def test_a_state_that_is_not_a_member_on_the_day_of_consolidation_cannot_adopt(folder: Path, state: str) -> None:
    with pytest.raises(InputError) as caught:
        find_law(state, folder, "EU")
    assert str(caught.value) == (
        f"pack EU 2026.1 is for member States of the EU, and according to the treaty table {state} was not a member on "
        "2026-01-01; write a separate pack for that State"
    )


def test_membership_is_checked_on_the_day_of_consolidation(folder: Path) -> None:
    last_member_day, first_day_outside = "2020-01-31", "2020-02-01"
    (folder / "eu.yaml").write_text(
        TEMPLATE.replace("consolidated_at: 2026-01-01", f"consolidated_at: {last_member_day}")
    )
    assert find_law("GB", folder, "EU").pack.state == "GB"
    (folder / "eu.yaml").write_text(
        TEMPLATE.replace("consolidated_at: 2026-01-01", f"consolidated_at: {first_day_outside}")
    )
    with pytest.raises(InputError, match=f"GB was not a member on {first_day_outside}"):
        find_law("GB", folder, "EU")


def test_the_pack_of_a_state_cannot_be_adopted_by_another() -> None:
    with pytest.raises(InputError, match="pack CH is the law of one State; another State can adopt only EU"):
        find_law("AT", None, "CH")
    assert find_law("CH", None, "CH").pack.state == "CH"


def test_a_template_in_the_file_of_a_state_is_refused(folder: Path) -> None:
    (folder / "at.yaml").write_text(TEMPLATE)
    with pytest.raises(PackError, match=r"at\.yaml: state: is the law of EU, but must be the law of AT"):
        find_law("AT", folder)


def test_a_template_has_no_bilateral_agreements(folder: Path) -> None:
    agreement = (
        "bilateral: {X: {state: CH, valid: {from: 2020-01-01}, condition_model: PRE_ACCEPT, source: K, scope: {}, "
    )
    (folder / "eu.yaml").write_text(
        TEMPLATE + agreement + "authorities: {from: [POLICE], to: [POLICE]}, verified: false}}\n"
    )
    with pytest.raises(PackError, match=r"eu\.yaml:\d+: bilateral: must be empty in a template"):
        find_law_by_code("EU", folder)


def test_pack_codes_are_normalised() -> None:
    assert [normalise_pack_code(text) for text in ("eu", " EU ", "uk", "ch")] == ["EU", "EU", "GB", "CH"]
    with pytest.raises(InputError):
        normalise_pack_code("EFTA")
    with pytest.raises(PackError, match="; or EU for a template"):
        parse_pack(TEMPLATE.replace("state: EU", "state: XX"), "xx.yaml", load_shipped_treaties(), load_common_rules())


def _open_context(law: Law) -> DecisionContext:
    return DecisionContext.open(law.pack, law.treaties, DIRECTORY, NOW_MS)


def test_a_decision_names_the_adopting_state_and_the_code_of_the_template(folder: Path) -> None:
    context = _open_context(find_law("AT", folder, "EU"))
    record = Indicator.parse(ITEM).to_record()
    decision = context.build_decision(record, NOW_MS)
    document = json.loads(decision.to_json())
    assert document["state"] == "AT"
    assert document["pack"] == {
        "state": "EU",
        "version": "2026.1",
        "sha256": find_law_by_code("EU", folder).pack.sha256,
    }
    # The rule names AT, DE and FR as mandatory recipients, but the providing State is never its own recipient.
    assert [recipient["state"] for recipient in document["recipients"]] == ["DE", "FR"]


def test_the_treaties_are_those_of_the_adopting_state(folder: Path) -> None:
    law = find_law("AT", folder, "EU").pack
    assert find_law("IE", folder, "EU").treaties.list_common_instruments("IE", "CH", dt.date(2026, 3, 1)) is not None
    reasons = (Reason(RelevanceKind.NEXUS_STATED, "r"),)
    record = Indicator.parse(ITEM).to_record()
    bases = {}
    for state in ("AT", "IE"):
        context = _open_context(find_law(state, folder, "EU"))
        verdict = context.disclosure_filter.decide(record, Audience((("DE", reasons),)), NOW_MS)
        bases[state] = next(decision.basis for decision in verdict.recipients if decision.state == "DE")
    assert law.treaty_preference == ("BUDAPEST",)
    assert bases == {"AT": "BUDAPEST", "IE": None}  # Ireland signed, but is not a party


def test_the_cases_of_a_template_name_the_providing_state(folder: Path) -> None:
    law = find_law_by_code("EU", folder)
    results = list(run_cases(parse_cases(CASES, "eu.cases.yaml"), law.pack, law.treaties))
    assert [result.differences for result in results] == [(), ()]
    assert results[0].decision.outcome is Outcome.DISCLOSE


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "eu.cases.yaml:1: base.providing: is missing: EU is a template, so name the State that has adopted it"),
        ("  providing: CH\n", "eu.cases.yaml:2: base.providing: pack EU 2026.1 is for member States of the EU"),
        ("  providing: EU\n", "eu.cases.yaml:2: base.providing: must be an ISO 3166-1"),
    ],
)
def test_cases_of_a_template_without_a_valid_providing_state_are_refused(
    folder: Path, line: str, expected: str
) -> None:
    law = find_law_by_code("EU", folder)
    with pytest.raises(PackError) as caught:
        list(run_cases(parse_cases(CASES.replace("  providing: AT\n", line), "eu.cases.yaml"), law.pack, law.treaties))
    assert str(caught.value).startswith(expected)


def test_the_cases_of_a_state_pack_need_that_state(folder: Path) -> None:
    (folder / "at.yaml").write_text(TEMPLATE.replace("state: EU", "state: AT"))
    law = load_law(folder / "at.yaml")
    assert all(not result.differences for result in run_cases(parse_cases(CASES, "c"), law.pack, law.treaties))
    with pytest.raises(PackError, match=r"c:2: base.providing: pack AT is the law of one State"):
        list(run_cases(parse_cases(CASES.replace("providing: AT", "providing: DE"), "c"), law.pack, law.treaties))


# --- A user's folder: treaty table and common rules ---


def _write_treaty_table(folder: Path, *, text: str = "") -> None:
    (folder / "treaties.yaml").write_text(
        text or load_shipped_treaties().text.replace("CH: 2012-01-01", "CH: 2012-01-01, XA: 2020-01-01")
    )


def test_a_treaty_table_in_the_folder_replaces_the_shipped_one(folder: Path) -> None:
    shipped = find_law("AT", folder, "EU")
    _write_treaty_table(folder)
    replaced = find_law("AT", folder, "EU")
    assert (shipped.treaties.covers("XA"), replaced.treaties.covers("XA")) == (False, True)
    assert replaced.treaties.list_common_instruments("AT", "XA", dt.date(2026, 3, 1)) == frozenset({"BUDAPEST"})
    assert replaced.pack.sha256 != shipped.pack.sha256
    assert find_law("CH").treaties is load_shipped_treaties()


def test_a_treaty_table_is_not_listed_as_a_pack(folder: Path) -> None:
    _write_treaty_table(folder)
    assert [place.name for place in list_pack_files(folder)] == ["eu.yaml"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("CH: 2012-01-01", "CH: 2012-01-01, XD: 2020-01-01", r"treaties\.yaml:\d+: instruments\.BUDAPEST\.parties\.XD"),
        ("memberships:", "membership:", r"treaties\.yaml:\d+: membership: unknown field; did you mean 'memberships'"),
    ],
)
def test_a_treaty_table_in_the_folder_is_parsed_strictly(folder: Path, old: str, new: str, expected: str) -> None:
    _write_treaty_table(folder, text=load_shipped_treaties().text.replace(old, new, 1))
    with pytest.raises(PackError, match=expected):
        find_law("AT", folder, "EU")


def test_different_common_rules_in_the_folder_are_refused(folder: Path) -> None:
    common_file = folder / "common.yaml"
    common_file.write_text(load_common_rules().text)  # as in a copy of the shipped folder
    assert find_law("AT", folder, "EU").pack.state == "AT"
    common_file.write_text(load_common_rules().text.replace("effect: DENY", "effect: RECORD"))
    with pytest.raises(PackError, match=r"common\.yaml: differs from the shipped common rules, .* cannot be replaced"):
        find_law("AT", folder, "EU")


def test_a_test_state_needs_a_treaty_table_in_the_folder(folder: Path) -> None:
    """The shipped treaty table has no treaties of `XA`, so everything is withheld, in both directions."""
    allowed = TEMPLATE.replace(", recipient.eu: true", "").replace("[AT, DE, FR]", "[AT, DE, XA]")
    (folder / "eu.yaml").write_text(allowed)
    (folder / "xa.yaml").write_text(allowed.replace("state: EU", "state: XA"))
    outcomes = []
    for _ in range(2):
        for state in ("AT", "XA"):
            context = _open_context(find_law(state, folder, "EU" if state == "AT" else None))
            record = Indicator.parse({**ITEM, "source": {**ITEM["source"], "state": state}}).to_record()
            to = "XA" if state == "AT" else "AT"
            authorities = replace(context.disclosure_filter, authorities=list_sole_authorities({to: "POLICE"}))
            verdict = authorities.decide(record, Audience(((to, (Reason(RelevanceKind.NEXUS_STATED, "r"),)),)), NOW_MS)
            outcomes.append({decision.state: (decision.outcome, decision.basis) for decision in verdict.recipients}[to])
        _write_treaty_table(folder)
    withheld, open_ = (Outcome.WITHHOLD, None), (Outcome.DISCLOSE, "BUDAPEST")
    assert outcomes == [withheld, withheld, open_, open_]


# --- Versions, by their hash ---


@pytest.fixture
def amended_folder(folder: Path) -> tuple[Path, str]:
    """A folder whose template was amended, with the previous version in the archive; and the hash of that version."""
    previous_hash = find_law_by_code("EU", folder).pack.sha256
    (folder / "archive").mkdir()
    (folder / "eu.yaml").rename(folder / "archive" / "eu-2026.1.yaml")
    (folder / "eu.yaml").write_text(AMENDED)
    return folder, previous_hash


def test_an_old_decision_is_replayed_byte_for_byte(
    amended_folder: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, previous_hash = amended_folder
    record = Indicator.parse(ITEM).to_record()
    previous_folder = tmp_path_factory.mktemp("previous")
    (previous_folder / "eu.yaml").write_text(TEMPLATE)
    recorded = _open_context(find_law("AT", previous_folder, "EU")).build_decision(record, NOW_MS).to_json()
    assert _open_context(find_law("AT", folder, "EU")).build_decision(record, NOW_MS).to_json() != recorded
    law = find_law_version("AT", previous_hash, folder, "EU")
    assert (law.pack.state, law.pack.version, law.pack.sha256) == ("AT", "2026.1", previous_hash)
    assert _open_context(law).build_decision(record, NOW_MS).to_json() == recorded


def test_the_current_version_is_found_by_its_hash(amended_folder: tuple[Path, str]) -> None:
    folder, _ = amended_folder
    now = find_law_by_code("EU", folder).pack
    assert find_law_version("AT", now.sha256.upper(), folder, "EU").pack.version == "2026.2"
    assert find_law_version("AT", now.sha256[:16], folder, "EU").pack.sha256 == now.sha256
    assert find_law_version("CH", find_law("CH").pack.sha256).pack == find_law("CH").pack


def test_an_unknown_hash_is_refused_with_the_available_versions(amended_folder: tuple[Path, str]) -> None:
    folder, previous_hash = amended_folder
    now = find_law_by_code("EU", folder).pack.sha256
    with pytest.raises(InputError) as caught:
        find_law_version("AT", "0" * 64, folder, "EU")
    assert str(caught.value) == (
        f"no version of pack EU has SHA-256 {'0' * 64}; available versions: eu.yaml ({now[:16]}), "
        f"archive/eu-2026.1.yaml ({previous_hash[:16]}); "
        "put the version that made the decision, and the treaties.yaml of that day, into archive/"
    )


@pytest.mark.parametrize("text", ["", "abc", "0" * 15, "0" * 65, "x" * 64])
def test_a_text_that_is_not_a_hash_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(InputError, match="must be a SHA-256: 64 hexadecimal digits, or at least the first 16 of them"):
        find_law_version("AT", text, folder, "EU")


def test_a_hash_of_a_pack_with_another_code_is_refused(amended_folder: tuple[Path, str]) -> None:
    folder, previous_hash = amended_folder
    (folder / "at.yaml").write_text(TEMPLATE.replace("state: EU", "state: AT"))
    with pytest.raises(
        PackError, match=r"archive/eu-2026\.1\.yaml: state: is the law of EU, but must be the law of AT"
    ):
        find_law_version("AT", previous_hash, folder)


def test_an_archived_treaty_table_is_found_by_the_hash(amended_folder: tuple[Path, str]) -> None:
    folder, previous_hash = amended_folder
    _write_treaty_table(folder)
    assert (
        find_law_version("AT", previous_hash, folder, "EU").treaties.covers("XA") is False
    )  # the shipped treaty table
    hash_with_table = find_law_by_code("EU", folder).pack.sha256
    (folder / "treaties.yaml").rename(folder / "archive" / "treaties-2026.yaml")
    _write_treaty_table(folder, text=load_shipped_treaties().text + "\n# later\n")
    assert find_law_by_code("EU", folder).pack.sha256 != hash_with_table
    assert find_law_version("AT", hash_with_table, folder, "EU").treaties.covers("XA")


def test_archived_common_rules_are_used_only_for_replay(amended_folder: tuple[Path, str]) -> None:
    folder, _ = amended_folder
    earlier = load_common_rules().text + "\n# an earlier release\n"
    (folder / "archive" / "common-0.0.yaml").write_text(earlier)
    previous_hash = compute_law_digest(AMENDED, earlier, load_shipped_treaties().text)
    assert find_law_version("AT", previous_hash, folder, "EU").pack.version == "2026.2"
    assert find_law_by_code("EU", folder).pack.sha256 != previous_hash


def test_two_versions_of_a_rule_in_one_pack_apply_each_on_its_days(folder: Path) -> None:
    two = TEMPLATE.replace(
        "valid: {from: 2020-01-01},\n     nature: statute, when: {form: INFORMATION, recipient.eu: true}",
        "valid: {from: 2020-01-01, to: 2026-06-30},\n"
        "     nature: statute, when: {form: INFORMATION, recipient.eu: true}",
    ) + (
        "  - {id: eu.permit, citation: art. 1 as amended, nature: statute, paraphrase: p, source: K, verified: false,\n"
        "     valid: {from: 2026-07-01}, when: {form: INFORMATION, recipient.eu: true, personal_data: false},"
        " effect: PERMIT}\n"
    )
    (folder / "eu.yaml").write_text(two)
    law = find_law("AT", folder, "EU")
    decided = {}
    for instant in ("2026-06-30T23:59:59.999Z", "2026-07-01T00:00:00Z"):
        now_ms = to_milliseconds(dt.datetime.fromisoformat(instant))
        context = DecisionContext.open(law.pack, law.treaties, DIRECTORY, now_ms)
        recipients = context.build_decision(Indicator.parse(ITEM).to_record(), now_ms).recipients
        recipient = next(decision for decision in recipients if decision.state == "DE")
        decided[instant[:10]] = (
            recipient.outcome,
            [rule.citation for rule in recipient.rules],
            [(entry.rule, entry.fact) for entry in recipient.undecided],
        )
    assert decided == {
        "2026-06-30": (Outcome.DISCLOSE, ["art. 2", "art. 1"], []),
        "2026-07-01": (Outcome.WITHHOLD, ["art. 2"], [("eu.permit", "personal_data")]),
    }
