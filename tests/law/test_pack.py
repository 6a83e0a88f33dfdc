"""Packs: what a sound one says, and how each broken one in `broken_packs` is refused.

A broken pack begins with comments that tell what is wrong with it, and the line, the key and a part of the message
that are expected.
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
from sharing.law.constraints import Operator
from sharing.law.constraints import Test as Comparison
from sharing.law.pack import Pack
from sharing.law.pack_reader import parse_common, parse_pack
from sharing.law.treaties import parse_treaties
from sharing.model.vocabulary import ConditionModel, Effect
from sharing.packs.library import find_law, pack_files, read_law
from sharing.yaml_source import read_yaml
from tests.law.strategies import COMMONS, SHIPPED_COMMON, SHIPPED_TREATIES, TREATIES, searched

FOLDER = Path(__file__).parent / "broken_packs"
SOUND = (FOLDER / "sound.yaml").read_text(encoding="utf-8")
FILES = sorted(FOLDER.glob("*.yaml"))
BROKEN = [pytest.param(path, id=path.stem) for path in FILES if not path.stem.startswith("sound")]


class Expected(NamedTuple):
    """What the comments of a broken pack say."""

    line: int
    key: str
    says: str


def expected(path: Path) -> Expected:
    head = path.read_bytes().decode("latin-1").splitlines()[1:4]
    line, key, says = (text.partition(": ")[2].strip() for text in head)
    return Expected(int(line), key, says)


def parse(text: str, common: str = "shipped") -> Pack:
    return parse_pack(text, "ch.yaml", TREATIES["shipped"], COMMONS[common])


# --- A sound pack ---


def test_a_sound_pack_says_what_is_written() -> None:
    pack = parse(SOUND)
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
    own = {rule.id: rule for rule in pack.rules if rule.id.startswith("ch.")}
    assert list(own) == ["ch.test-1", "ch.test-2", "ch.test-3", "ch.test-4"]
    assert own["ch.test-2"].when.parts == (Comparison("recipient.state", Operator.ANY_OF, frozenset({"NO"})),)
    assert own["ch.test-2"].approver == "JUDGE"
    assert {rule.is_common for rule in own.values()} == {False}
    assert {rule.is_common for rule in pack.rules if rule.id not in own} == {True}
    assert own["ch.test-3"].condition is not None
    assert own["ch.test-3"].condition.code == "ch.test-3"
    assert own["ch.test-4"].redact == ("source_case",)
    assert [rule.verified for rule in own.values()] == [False, True, True, True]
    assert own["ch.test-1"].effect is Effect.PERMIT


def test_norway_is_a_state_and_no_answer() -> None:
    assert read_yaml("a: NO\nb: [NO, no, off, y]\nNO: 1", "f").data == {
        "a": "NO",
        "b": ["NO", "no", "off", "y"],
        "NO": 1,
    }
    assert read_yaml("a: true\nb: false", "f").data == {"a": True, "b": False}


@pytest.mark.parametrize("version", ["2026.10", "2026.1", "1", "1.0.0-rc1", "0x10", "2026-01-01", "true", "null"])
def test_a_version_is_kept_as_it_is_written(version: str) -> None:
    assert parse(SOUND.replace("2026.10", version)).version == version


def test_the_rules_of_the_day_are_in_the_order_of_their_ids() -> None:
    pack = parse((FOLDER / "sound-same-id-on-other-days.yaml").read_text(encoding="utf-8"))
    for day, paraphrase in ((dt.date(2026, 12, 31), "A judge"), (dt.date(2027, 1, 1), "It serves")):
        rules = pack.rules_on(day)
        assert [rule.id for rule in rules] == sorted(rule.id for rule in rules)
        (rule,) = (rule for rule in rules if rule.id == "ch.test-2")
        assert rule.paraphrase.startswith(paraphrase)


@pytest.mark.parametrize(
    ("day", "there"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-12-31", True), ("2027-01-01", False)],
)
def test_a_rule_is_in_force_on_its_first_and_last_day(day: str, there: bool) -> None:
    rules = parse(SOUND).rules_on(dt.date.fromisoformat(day))
    assert ("ch.test-2" in {rule.id for rule in rules}) is there


def test_the_common_rules_stand_under_every_pack() -> None:
    ids = {rule.id for rule in parse(SOUND).rules}
    assert {rule.id for rule in COMMONS["shipped"].rules} < ids


# --- Broken ones ---


@pytest.mark.parametrize("path", BROKEN)
def test_a_broken_pack_is_refused_with_line_key_and_reason(path: Path) -> None:
    wanted = expected(path)
    with pytest.raises(PackError) as caught:
        read_law(path)
    error = caught.value
    assert wanted.says in str(error)
    assert (error.source, error.line, error.key) == (path.name, wanted.line, wanted.key)
    # The message alone, as a gate prints it, says where.
    assert str(error).startswith(f"{path.name}:{wanted.line}: " if wanted.line else f"{path.name}: ")
    assert wanted.key in str(error)


BESIDE = {"cases": parse_cases, "treaties": parse_treaties}
BROKEN_BESIDE = [
    pytest.param(path, id=f"{path.parent.name}-{path.stem}")
    for folder in sorted(BESIDE)
    for path in sorted((FOLDER / folder).glob("*.yaml"))
    if path.stem != "sound"
]


@pytest.mark.parametrize("path", BROKEN_BESIDE)
def test_broken_cases_and_treaties_are_refused_with_line_key_and_reason(path: Path) -> None:
    wanted = expected(path)
    with pytest.raises(PackError) as caught:
        BESIDE[path.parent.name](path.read_text(encoding="utf-8"), path.name)
    error = caught.value
    assert wanted.says in str(error)
    assert (error.source, error.line, error.key) == (path.name, wanted.line, wanted.key)


@pytest.mark.parametrize("folder", sorted(BESIDE))
def test_what_the_broken_cases_and_treaties_are_made_from_is_sound(folder: str) -> None:
    assert BESIDE[folder]((FOLDER / folder / "sound.yaml").read_text(encoding="utf-8"), "sound.yaml")


def test_there_are_broken_packs() -> None:
    assert len(BROKEN) >= 200
    assert len(BROKEN_BESIDE) >= 50


def test_a_mark_of_byte_order_at_the_beginning_is_no_content() -> None:
    """Editors on Windows put one there."""
    assert parse("\ufeff" + SOUND).rules == parse(SOUND).rules


def test_what_the_broken_packs_are_made_from_is_sound() -> None:
    for path in FILES:
        if path.stem.startswith("sound"):
            read_law(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title: t\napprovers: {}\nrules: []", "must not be empty"),
        (SHIPPED_COMMON.replace("id: common.h2", "id: common.h1"), "rule common.h1 stands twice on the same days"),
        (SHIPPED_COMMON.replace("tlp: RED", "tlp: READ"), "did you mean 'RED'?"),
    ],
)
def test_broken_common_rules_are_refused(text: str, says: str) -> None:
    with pytest.raises(PackError, match=r"common\.yaml") as caught:
        parse_common(text, "common.yaml", TREATIES["small"])
    assert says in str(caught.value)


@searched(0.1)
@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.decode("latin-1")))
def test_no_text_makes_anything_but_a_pack_error(text: str) -> None:
    with pytest.raises(PackError):
        parse(text)


@searched(0.2)
@given(st.data())
def test_a_spoilt_pack_is_refused_or_sound_and_nothing_else(data: st.DataObject) -> None:
    """Characters taken out, doubled, exchanged: a pack error, or a pack."""
    text = SOUND
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", " ", "\n", ":", "-", "{", "]", "#", "\t", "0", "é", text[at] * 2]))
            + text[at + 1 :]
        )
    refused: PackError | None = None
    try:
        assert parse(text).rules
    except PackError as error:
        refused = error
    if refused is not None:
        assert refused.source == "ch.yaml"
        assert refused.line > 0 or "is not YAML" in str(refused)


# --- The hash ---


def test_the_hash_covers_pack_common_rules_and_treaties_to_the_byte() -> None:
    def digest(pack: str = SOUND, common: str = SHIPPED_COMMON, treaties: str = SHIPPED_TREATIES) -> str:
        table = parse_treaties(treaties, "treaties.yaml")
        return parse_pack(pack, "ch.yaml", table, parse_common(common, "common.yaml", table)).sha256

    found = {
        digest(),
        digest(pack=SOUND + " "),
        digest(pack=SOUND.replace("A judge", "B judge")),
        digest(common=SHIPPED_COMMON + " "),
        digest(common=SHIPPED_COMMON.replace("What holds", "what holds")),
        digest(treaties=SHIPPED_TREATIES + " "),
        digest(treaties=SHIPPED_TREATIES.replace("CH: 2012-01-01", "CH: 2012-01-02")),
        # A text that moves from one file to the next is another law.
        digest(pack=SOUND + "#", common=SHIPPED_COMMON),
        digest(pack=SOUND, common="#" + SHIPPED_COMMON),
    }
    assert len(found) == 9
    assert all(len(one) == 64 for one in found)
    assert digest() == digest()


def test_the_hash_does_not_depend_on_the_name_of_the_file() -> None:
    assert parse_pack(SOUND, "other.yaml", TREATIES["shipped"], COMMONS["shipped"]) == parse(SOUND)


# --- The shelf ---


def test_a_pack_is_found_by_its_state_in_any_spelling() -> None:
    assert find_law("ch").pack.state == find_law("CH").pack.state == "CH"


def test_a_state_without_a_pack_is_told_what_there_is() -> None:
    with pytest.raises(InputError, match=r"there is no law pack for AT; there are .*CH, DE.*JP, NL"):
        find_law("AT")


def test_a_folder_of_ones_own_stands_in_place_of_the_shelf(tmp_path: Path) -> None:
    (tmp_path / "no.yaml").write_text(
        SOUND.replace("state: CH", "state: NO").replace("state: NO\n    valid", "state: CH\n    valid")
    )
    (tmp_path / "no.cases.yaml").write_text("")
    assert find_law("no", tmp_path).pack.state == "NO"
    assert [path.name for path in pack_files(tmp_path)] == ["no.yaml"]
    with pytest.raises(InputError, match="there is no law pack for CH; there are NO"):
        find_law("CH", tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        pack_files(tmp_path / "none")


def test_a_pack_of_another_state_than_its_file_says_is_refused(tmp_path: Path) -> None:
    (tmp_path / "de.yaml").write_text(SOUND)
    with pytest.raises(PackError, match="state"):
        find_law("DE", tmp_path)
