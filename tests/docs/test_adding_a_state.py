"""The guide for a new State covers every step, without Python; `test_examples.py` executes it from an empty folder."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from sharing.law.reading.pack_models import BilateralAgreementModel, ExceptionModel
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.countries import TEST_STATES
from sharing.model.directory import Competence
from sharing.model.vocabulary import ConditionKind, ConditionModel, Nature
from sharing.packs.library import list_shipped_pack_codes, load_common_rules, load_shipped_treaties
from tests.docs.doc_files import ROOT, parse_commands, read_blocks

PAGE = ROOT / "docs" / "adding-a-state.md"
TEXT = PAGE.read_text(encoding="utf-8")
GUIDE = list(read_blocks(PAGE))
PACK: dict[str, Any] = next(yaml.safe_load(block.text) for block in GUIDE if block.file == "packs/xa.yaml")


def test_the_example_state_is_reserved_and_has_no_shipped_pack() -> None:
    saved = {block.file for block in GUIDE if block.file}
    assert {"packs/xa.yaml", "packs/xa.cases.yaml", "states.yaml"} <= saved
    assert "XA" in TEST_STATES
    assert "XA" not in list_shipped_pack_codes()


def test_no_python_is_changed() -> None:
    assert {block.language for block in GUIDE} == {"yaml", "json", "console"}
    assert {block.file.rpartition(".")[2] for block in GUIDE if block.file} == {"yaml", "jsonl"}


def test_the_steps_need_no_copy_of_the_treaty_table() -> None:
    assert not any(block.file.endswith("treaties.yaml") for block in GUIDE)
    pack = parse_pack(yaml.safe_dump(PACK), "xa.yaml", load_shipped_treaties(), load_common_rules())
    assert set(pack.treaty_preference) == set(pack.bilateral)
    assert not load_shipped_treaties().covers("XA")


def test_the_example_uses_every_form_that_the_page_explains() -> None:
    assert {"bilateral", "approvers", "assessments"} <= PACK.keys()
    assert {key for rule in PACK["rules"] for key in rule} >= {"nature", "exception", "replaces", "valid", "needs"}
    assert all("reciprocity" in assessment["facts"] for assessment in PACK["assessments"])
    assert any("recipient.reciprocity" in rule["when"] for rule in PACK["rules"])
    entries = next(yaml.safe_load(block.text) for block in GUIDE if block.file == "states.yaml")["entries"]
    assert any(len(entry["authorities"]) > 1 for entry in entries)


@pytest.mark.parametrize(
    "names",
    [
        [field.alias or name for name, field in BilateralAgreementModel.model_fields.items()],
        [field.alias or name for name, field in ExceptionModel.model_fields.items()],
        [field.alias or name for name, field in Competence.model_fields.items()],
        list(ConditionKind), list(ConditionModel), list(Nature),
    ],
    ids=["bilateral", "exception", "competence", "condition kinds", "condition models", "natures"],
)  # fmt: skip
def test_every_name_of_a_form_is_on_the_page(names: list[str]) -> None:
    assert [name for name in names if f"`{name}" not in TEXT and f"{name}:" not in TEXT] == []


def test_the_commands_appear_in_the_order_of_the_steps() -> None:
    texts = [command.text for block in GUIDE if block.language == "console" for command in parse_commands(block)]
    steps = [
        "sharing law test", "sharing law test", "sharing law mutate", "sharing law lint", "sharing law explain",
        "sharing law questions", "sharing law sign", "sharing topics apply", "sharing directory announce",
        "sharing gate", "sharing publish", "sharing subscribe", "sharing law rehearse", "sharing law compare",
    ]  # fmt: skip
    documented = [
        next(step for step in steps if text.startswith(step)) for text in texts if text.startswith("sharing ")
    ]
    assert documented == steps
