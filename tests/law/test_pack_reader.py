"""Parsing packs: the contents of a valid pack, and the error for each broken pack in `broken_packs`.

A broken pack starts with comments: what is wrong with it, and the expected line, key and part of the message.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.errors import InputError, PackError
from sharing.law.cases import parse_cases
from sharing.law.constraints import FactTest, Operator
from sharing.law.pack import Pack
from sharing.law.reading.pack_reader import parse_common_rules, parse_pack
from sharing.law.reading.treaty_reader import parse_treaties
from sharing.model.vocabulary import ConditionModel, Effect, Nature
from sharing.packs.library import find_law, list_pack_files, load_law
from sharing.yaml_files.faults import FAULTS_MAX
from sharing.yaml_files.source import read_yaml
from tests.law.strategies import COMMON_RULES, SHIPPED_COMMON, SHIPPED_TREATIES, TREATIES, search_settings

FOLDER = Path(__file__).parent / "broken_packs"
VALID_PACK = (FOLDER / "sound.yaml").read_text(encoding="utf-8")
FILES = sorted(FOLDER.glob("*.yaml"))
BROKEN = [pytest.param(path, id=path.stem) for path in FILES if not path.stem.startswith("sound")]


class ExpectedError(NamedTuple):
    """The expected error, from the comments of a broken pack."""

    line: int
    key: str
    message: str


def read_expected_error(path: Path) -> ExpectedError:
    comments = path.read_bytes().decode("latin-1").splitlines()[1:4]
    line, key, message = (text.partition(": ")[2].strip() for text in comments)
    return ExpectedError(int(line), key, message)


def parse(text: str, common: str = "shipped") -> Pack:
    return parse_pack(text, "ch.yaml", TREATIES["shipped"], COMMON_RULES[common])


# --- A valid pack ---


def test_a_valid_pack_has_the_written_values() -> None:
    pack = parse(VALID_PACK)
    assert (pack.state, pack.version, pack.title) == ("CH", "2026.10", "A pack for tests")
    assert pack.consolidated_at == dt.date(2026, 1, 1)
    assert pack.treaty_preference == ("BUDAPEST", "BILATERAL:norway", "UNCAC")
    agreement = pack.bilateral["BILATERAL:norway"]
    assert (agreement.state, agreement.condition_model) == ("NO", ConditionModel.ATTACHED_BINDING)
    assert pack.approvers["JUDGE"] == "A judge"
    assert "PROVIDING_OFFICER" in pack.approvers
    (assessment,) = pack.assessments
    assert assessment.states == {"NO", "GB"}
    assert assessment.facts == {"adequacy": "YES"}
    assert assessment.dual_criminality == {"LAUNDERING": "YES"}
    rules = {rule.id: rule for rule in pack.rules if rule.id.startswith("ch.")}
    assert list(rules) == ["ch.test-1", "ch.test-2", "ch.test-3", "ch.test-4"]
    assert rules["ch.test-2"].when.parts == (FactTest("recipient.state", Operator.ANY_OF, frozenset({"NO"})),)
    assert rules["ch.test-2"].approver == "JUDGE"
    assert {rule.is_common for rule in rules.values()} == {False}
    assert {rule.is_common for rule in pack.rules if rule.id not in rules} == {True}
    assert rules["ch.test-3"].condition is not None
    assert rules["ch.test-3"].condition.code == "ch.test-3"
    assert rules["ch.test-4"].redact == ("source_case",)
    assert [rule.verified for rule in rules.values()] == [False, True, True, True]
    assert rules["ch.test-1"].effect is Effect.PERMIT


def test_norway_is_a_state_and_not_a_boolean() -> None:
    assert read_yaml("a: NO\nb: [NO, no, off, y]\nNO: 1", "f").data == {
        "a": "NO",
        "b": ["NO", "no", "off", "y"],
        "NO": 1,
    }
    assert read_yaml("a: true\nb: false", "f").data == {"a": True, "b": False}


@pytest.mark.parametrize("version", ["2026.10", "2026.1", "1", "1.0.0-rc1", "0x10", "2026-01-01", "true", "null"])
def test_a_version_is_text_as_written(version: str) -> None:
    assert parse(VALID_PACK.replace("2026.10", version)).version == version


def test_the_rules_in_force_are_sorted_by_id() -> None:
    pack = parse((FOLDER / "sound-same-id-on-other-days.yaml").read_text(encoding="utf-8"))
    for day, paraphrase in ((dt.date(2026, 12, 31), "A judge"), (dt.date(2027, 1, 1), "It serves")):
        rules = pack.list_rules_in_force(day)
        assert [rule.id for rule in rules] == sorted(rule.id for rule in rules)
        (rule,) = (rule for rule in rules if rule.id == "ch.test-2")
        assert rule.paraphrase.startswith(paraphrase)


@pytest.mark.parametrize(
    ("day", "in_force"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-12-31", True), ("2027-01-01", False)],
)
def test_a_rule_is_in_force_on_its_first_and_last_day(day: str, in_force: bool) -> None:
    rules = parse(VALID_PACK).list_rules_in_force(dt.date.fromisoformat(day))
    assert ("ch.test-2" in {rule.id for rule in rules}) is in_force


def test_the_common_rules_are_part_of_every_pack() -> None:
    ids = {rule.id for rule in parse(VALID_PACK).rules}
    assert {rule.id for rule in COMMON_RULES["shipped"].rules} < ids


# --- Broken packs ---


@pytest.mark.parametrize("path", BROKEN)
def test_a_broken_pack_is_refused_with_line_key_and_reason(path: Path) -> None:
    expected = read_expected_error(path)
    with pytest.raises(PackError) as caught:
        load_law(path)
    error = caught.value
    assert expected.message in str(error)
    assert (error.source, error.line, error.key) == (path.name, expected.line, expected.key)
    # The message, which a gate prints, includes the position.
    assert str(error).startswith(f"{path.name}:{expected.line}: " if expected.line else f"{path.name}: ")
    assert expected.key in str(error)


PARSERS = {"cases": parse_cases, "treaties": parse_treaties}
BROKEN_CASES_AND_TREATIES = [
    pytest.param(path, id=f"{path.parent.name}-{path.stem}")
    for folder in sorted(PARSERS)
    for path in sorted((FOLDER / folder).glob("*.yaml"))
    if path.stem != "sound"
]


@pytest.mark.parametrize("path", BROKEN_CASES_AND_TREATIES)
def test_broken_cases_and_treaties_are_refused_with_line_key_and_reason(path: Path) -> None:
    expected = read_expected_error(path)
    with pytest.raises(PackError) as caught:
        PARSERS[path.parent.name](path.read_text(encoding="utf-8"), path.name)
    error = caught.value
    assert expected.message in str(error)
    assert (error.source, error.line, error.key) == (path.name, expected.line, expected.key)


@pytest.mark.parametrize("folder", sorted(PARSERS))
def test_the_valid_originals_of_broken_cases_and_treaties_are_accepted(folder: str) -> None:
    assert PARSERS[folder]((FOLDER / folder / "sound.yaml").read_text(encoding="utf-8"), "sound.yaml")


def test_there_are_enough_broken_packs() -> None:
    assert len(BROKEN) >= 200
    assert len(BROKEN_CASES_AND_TREATIES) >= 50


def test_a_byte_order_mark_at_the_start_is_ignored() -> None:
    """Editors on Windows write one."""
    assert parse("\ufeff" + VALID_PACK).rules == parse(VALID_PACK).rules


def test_the_valid_originals_of_the_broken_packs_are_accepted() -> None:
    for path in FILES:
        if path.stem.startswith("sound"):
            load_law(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: t\napprovers: {}\nrules: []", "must not be empty"),
        (SHIPPED_COMMON.replace("id: common.h2", "id: common.h1"), "rule common.h1 is defined twice for the same days"),
        (SHIPPED_COMMON.replace("tlp: RED", "tlp: READ"), "did you mean 'RED'?"),
    ],
)
def test_broken_common_rules_are_refused(text: str, message: str) -> None:
    with pytest.raises(PackError, match=r"common\.yaml") as caught:
        parse_common_rules(text, "common.yaml", TREATIES["small"])
    assert message in str(caught.value)


@search_settings(0.1)
@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.decode("latin-1")))
def test_arbitrary_text_raises_only_pack_errors(text: str) -> None:
    with pytest.raises(PackError):
        parse(text)


@search_settings(0.2)
@given(st.data())
def test_a_randomly_edited_pack_is_accepted_or_refused(data: st.DataObject) -> None:
    """Characters are removed, doubled or replaced: the result is a pack or a pack error."""
    text = VALID_PACK
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", " ", "\n", ":", "-", "{", "]", "#", "\t", "0", "é", text[at] * 2]))
            + text[at + 1 :]
        )
    refusal: PackError | None = None
    try:
        assert parse(text).rules
    except PackError as error:
        refusal = error
    if refusal is not None:
        assert refusal.source == "ch.yaml"
        assert refusal.line > 0 or "is not YAML" in str(refusal)


# --- The hash ---


def test_the_hash_covers_pack_common_rules_and_treaties_to_the_byte() -> None:
    def digest(pack: str = VALID_PACK, common: str = SHIPPED_COMMON, treaties: str = SHIPPED_TREATIES) -> str:
        table = parse_treaties(treaties, "treaties.yaml")
        return parse_pack(pack, "ch.yaml", table, parse_common_rules(common, "common.yaml", table)).sha256

    digests = {
        digest(),
        digest(pack=VALID_PACK + " "),
        digest(pack=VALID_PACK.replace("A judge", "B judge")),
        digest(common=SHIPPED_COMMON + " "),
        digest(common=SHIPPED_COMMON.replace("Common rules of", "common rules of")),
        digest(treaties=SHIPPED_TREATIES + " "),
        digest(treaties=SHIPPED_TREATIES.replace("CH: 2012-01-01", "CH: 2012-01-02")),
        # Text moved from one file to the next changes the hash.
        digest(pack=VALID_PACK + "#", common=SHIPPED_COMMON),
        digest(pack=VALID_PACK, common="#" + SHIPPED_COMMON),
    }
    assert len(digests) == 9
    assert all(len(text) == 64 for text in digests)
    assert digest() == digest()


def test_the_hash_does_not_depend_on_the_name_of_the_file() -> None:
    assert parse_pack(VALID_PACK, "other.yaml", TREATIES["shipped"], COMMON_RULES["shipped"]) == parse(VALID_PACK)


# --- Loading packs ---


def test_a_pack_is_found_in_upper_and_lower_case() -> None:
    assert find_law("ch").pack.state == find_law("CH").pack.state == "CH"


def test_the_error_for_a_missing_pack_lists_the_available_packs() -> None:
    with pytest.raises(InputError, match=r"there is no law pack for AT; available packs: .*CH, DE.*JP, NL"):
        find_law("AT")


def test_a_folder_of_packs_replaces_the_shipped_packs(tmp_path: Path) -> None:
    (tmp_path / "no.yaml").write_text(
        VALID_PACK.replace("state: CH", "state: NO").replace("state: NO\n    valid", "state: CH\n    valid")
    )
    (tmp_path / "no.cases.yaml").write_text("")
    assert find_law("no", tmp_path).pack.state == "NO"
    assert [path.name for path in list_pack_files(tmp_path)] == ["no.yaml"]
    with pytest.raises(InputError, match="there is no law pack for CH; available packs: NO"):
        find_law("CH", tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        list_pack_files(tmp_path / "none")


def test_a_pack_in_the_file_of_another_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "de.yaml").write_text(VALID_PACK)
    with pytest.raises(PackError, match="state"):
        find_law("DE", tmp_path)


# --- Several faults ---


def list_faults(text: str) -> list[str]:
    with pytest.raises(PackError) as caught:
        parse(text)
    return str(caught.value).splitlines()


def line_of(text: str, part: str) -> int:
    return 1 + next(number for number, line in enumerate(text.splitlines()) if part in line)


def test_all_faults_of_a_pack_are_reported_at_once() -> None:
    """What the model finds, and what only the reader can find, in one error; each with line, key and nearest word."""
    text = (
        VALID_PACK.replace("title: A pack", "titel: A pack")
        .replace("treaty_preference: [BUDAPEST,", "treaty_preference: [BUDPEST,")
        .replace("facts: {adequacy: true}", "facts: {adequcy: true}")
        .replace("effect: PERMIT", "effect: PERMITT")
        .replace("needs: {approver: JUDGE}", "needs: {approver: JUGDE}")
        .replace("when: {source.authority: POLICE}", "when: {source.authority: [POLICE, PLICE, COURTT], tpl: RED}")
        .replace("redact: [source_case]", "redact: [source_csae]")
    )
    expected = [
        ("titel", "titel", "unknown field; did you mean 'title'?"),
        ("state: CH", "title", "is missing"),
        ("treaty_preference:", "treaty_preference.0", "did you mean 'BUDAPEST'?"),
        ("adequcy", "assessments.0.facts.adequcy", "did you mean 'adequacy'?"),
        ("PERMITT", "rules.0.effect", "did you mean 'PERMIT'?"),
        ("JUGDE", "rules.1.needs.approver", "did you mean 'JUDGE'?; list it under approvers (rule ch.test-2)"),
        ("tpl: RED", "rules.3.when.source.authority", "'PLICE' is not a value"),
        ("tpl: RED", "rules.3.when.source.authority", "did you mean 'COURT'? (rule ch.test-4)"),
        ("tpl: RED", "rules.3.when.tpl", "unknown fact; did you mean 'tlp'? (rule ch.test-4)"),
        ("source_csae", "rules.3.needs.redact.0", "did you mean 'source_case'? (rule ch.test-4)"),
    ]
    faults = list_faults(text)
    assert len(faults) == len(expected)
    for fault, (part, key, message) in zip(faults, expected, strict=True):
        assert fault.startswith(f"ch.yaml:{line_of(text, part)}: {key}: "), fault
        assert message in fault


def test_the_error_has_the_position_of_its_first_fault() -> None:
    with pytest.raises(PackError) as caught:
        parse(VALID_PACK.replace("effect: PERMIT", "effect: PERMITT").replace("JUDGE}", "JUGDE}"))
    assert (caught.value.key, caught.value.line) == ("rules.0.effect", line_of(VALID_PACK, "effect: PERMIT"))


def test_a_rule_that_is_invalid_hides_no_fault_of_another() -> None:
    text = VALID_PACK.replace("  - id: ch.test-1", "  - a text\n  - id: ch.test-1").replace("JUDGE}", "JUGDE}")
    assert [fault.split(": ")[1] for fault in list_faults(text)] == ["rules.0", "rules.2.needs.approver"]


def test_the_list_of_faults_is_bounded() -> None:
    rules = "".join(
        f"  - {{id: ch.more-{number}, citation: c, nature: statute, paraphrase: p, source: K, verified: false,"
        f" valid: {{from: 2026-01-01}}, when: {{}}, effect: NONE}}\n"
        for number in range(60)
    )
    faults = list_faults(VALID_PACK + rules)
    assert len(faults) == FAULTS_MAX + 1
    assert faults[-1] == f"ch.yaml: and {60 - FAULTS_MAX} more"


@pytest.mark.parametrize("nature", list(Nature))
def test_each_rule_states_its_nature(nature: Nature) -> None:
    text = VALID_PACK.replace("nature: statute", f"nature: {nature}", 1)
    (rule,) = (rule for rule in parse(text).rules if rule.id == "ch.test-1")
    assert rule.nature is nature
    (fault,) = list_faults(VALID_PACK.replace("    nature: statute\n", "", 1))
    assert fault == f"ch.yaml:{line_of(VALID_PACK, 'id: ch.test-1')}: rules.0.nature: is missing, and is required"
    (fault,) = list_faults(VALID_PACK.replace("nature: statute", f"nature: {str(nature)[:-1]}", 1))
    assert f"did you mean '{nature}'?" in fault


# --- Successors ---

PREDECESSOR = VALID_PACK.replace(
    "valid: {from: 2026-01-01}\n    when:\n", "valid: {from: 2026-01-01, to: 2026-06-30}\n    when:\n"
)


def add_successor(replaces: str, first_day: str) -> str:
    return PREDECESSOR + (
        "  - id: ch.test-5\n    citation: Test Act art. 5\n    nature: statute\n    paraphrase: It succeeds.\n"
        f"    source: K\n    verified: false\n    valid: {{from: {first_day}}}\n    when: {{}}\n    effect: PERMIT\n"
        f"    replaces: {replaces}\n"
    )


def test_a_successor_begins_on_the_day_after_its_predecessor_ends() -> None:
    (rule,) = (rule for rule in parse(add_successor("ch.test-1", "2026-07-01")).rules if rule.id == "ch.test-5")
    assert rule.replaces == "ch.test-1"


@pytest.mark.parametrize(
    ("replaces", "first_day", "message"),
    [
        ("ch.test-1", "2026-07-02", "rule ch.test-1 must end on 2026-07-01, the day before this rule starts"),
        ("ch.test-1", "2026-06-30", "rule ch.test-1 must end on 2026-06-29, the day before this rule starts"),
        ("ch.test-3", "2026-07-01", "rule ch.test-3 must end on 2026-06-30, the day before this rule starts"),
        ("ch.tset-1", "2026-07-01", "there is no other rule ch.tset-1; did you mean 'ch.test-1'?"),
        ("ch.test-5", "2026-07-01", "there is no other rule ch.test-5"),
        ("common.h1", "2026-07-01", "there is no other rule common.h1"),
    ],
)  # fmt: skip
def test_a_successor_that_leaves_a_gap_is_refused(replaces: str, first_day: str, message: str) -> None:
    text = add_successor(replaces, first_day)
    (fault,) = list_faults(text)
    assert fault.startswith(f"ch.yaml:{line_of(text, 'replaces:')}: rules.4.replaces: {message}")


def test_a_new_version_may_name_the_old_one_which_has_the_same_id() -> None:
    text = add_successor("ch.test-1", "2026-07-01").replace("id: ch.test-5", "id: ch.test-1")
    assert [rule.replaces for rule in parse(text).rules if rule.id == "ch.test-1"] == ["", "ch.test-1"]
