"""The guide for a new State takes all its steps, with no Python; `test_examples.py` follows it from nothing."""

from __future__ import annotations

from sharing.model.countries import TEST_STATES
from sharing.packs.library import shipped_packs
from tests.docs.doc_files import ROOT, blocks, commands

GUIDE = list(blocks(ROOT / "docs" / "adding-a-state.md"))


def test_the_state_is_one_that_is_not_there() -> None:
    saved = {block.file for block in GUIDE if block.file}
    assert {"packs/treaties.yaml", "packs/xa.yaml", "packs/xa.cases.yaml", "states.yaml"} <= saved
    assert "XA" in TEST_STATES
    assert "XA" not in shipped_packs()


def test_no_python_is_changed() -> None:
    assert {block.language for block in GUIDE} == {"yaml", "json", "console"}
    assert {block.file.rpartition(".")[2] for block in GUIDE if block.file} == {"yaml", "jsonl"}


def test_every_step_is_taken_in_its_order() -> None:
    run = [command.text for block in GUIDE if block.language == "console" for command in commands(block)]
    steps = [
        "sharing law test", "sharing law lint", "sharing law explain", "sharing law sign", "sharing topics apply",
        "sharing directory announce", "sharing gate", "sharing publish", "sharing subscribe", "sharing law rehearse",
    ]  # fmt: skip
    taken = [next(step for step in steps if text.startswith(step)) for text in run if text.startswith("sharing ")]
    assert taken == steps
