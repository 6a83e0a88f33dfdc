"""The guide for a new State covers every step, without Python; `test_examples.py` executes it from an empty folder."""

from __future__ import annotations

from sharing.model.countries import TEST_STATES
from sharing.packs.library import list_shipped_pack_codes
from tests.docs.doc_files import ROOT, parse_commands, read_blocks

GUIDE = list(read_blocks(ROOT / "docs" / "adding-a-state.md"))


def test_the_example_state_is_reserved_and_has_no_shipped_pack() -> None:
    saved = {block.file for block in GUIDE if block.file}
    assert {"packs/treaties.yaml", "packs/xa.yaml", "packs/xa.cases.yaml", "states.yaml"} <= saved
    assert "XA" in TEST_STATES
    assert "XA" not in list_shipped_pack_codes()


def test_no_python_is_changed() -> None:
    assert {block.language for block in GUIDE} == {"yaml", "json", "console"}
    assert {block.file.rpartition(".")[2] for block in GUIDE if block.file} == {"yaml", "jsonl"}


def test_the_commands_appear_in_the_order_of_the_steps() -> None:
    texts = [command.text for block in GUIDE if block.language == "console" for command in parse_commands(block)]
    steps = [
        "sharing law test", "sharing law lint", "sharing law explain", "sharing law sign", "sharing topics apply",
        "sharing directory announce", "sharing gate", "sharing publish", "sharing subscribe", "sharing law rehearse",
    ]  # fmt: skip
    documented = [
        next(step for step in steps if text.startswith(step)) for text in texts if text.startswith("sharing ")
    ]
    assert documented == steps
