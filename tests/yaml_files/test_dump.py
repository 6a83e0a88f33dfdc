"""Writing YAML for generated files: readable, and equal to the data when read again."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from sharing.yaml_files.dump import to_yaml


class Colour(StrEnum):
    """A member of an enumeration of texts."""

    RED = "red"


def test_keys_keep_their_order_and_equal_objects_are_written_in_full() -> None:
    shared = {"b": 1, "a": 2}
    assert to_yaml({"second": shared, "first": shared}, width=80) == (
        "second:\n  b: 1\n  a: 2\nfirst:\n  b: 1\n  a: 2\n"
    )


def test_a_text_of_several_lines_is_a_literal_block() -> None:
    assert to_yaml({"script": "one\ntwo\n"}, width=80) == "script: |\n  one\n  two\n"


def test_a_member_of_an_enumeration_is_written_as_text() -> None:
    assert to_yaml({Colour.RED: [Colour.RED, "Zürich"]}, width=80) == "red:\n- red\n- Zürich\n"


def test_several_documents_are_separated_and_long_lines_are_folded() -> None:
    assert to_yaml({"a": "one two three four"}, {"b": 1}, width=10) == "a: one two three\n  four\n---\nb: 1\n"


TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")) | st.just("\n"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, min_size=1, max_size=3), st.integers(20, 120))
def test_what_is_written_is_read_again(documents: list[Any], width: int) -> None:
    assert list(yaml.safe_load_all(to_yaml(*documents, width=width))) == documents
