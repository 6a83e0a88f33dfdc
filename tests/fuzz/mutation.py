"""Corrupts inputs: bytes at random positions, and JSON and YAML trees with problematic values."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

_ODD_BYTES = (
    b"\x00",
    b"\xff",
    b"\x80\x80\x80\x80\x80\x01",
    b"\xff" * 10 + b"\x01",
    b"\xed\xa0\x80",
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
)
"""NUL, long and negative varints, a lone surrogate, line endings, a byte order mark."""

_ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63, -(2**63) - 1, 1e308, "", " ", "\x00", "\x1b[31m", "NO", "1", "\ud800",
    "9999-12-31T23:59:59-23:59", "0000-00-00", [], {}, [[]], [None], {"": None}, "a" * 3_000, "é" * 300, "|", "a|b|c",
)  # fmt: skip


def _choose_odd_value(generator: random.Random) -> Any:
    return copy.deepcopy(generator.choice(_ODD_VALUES))  # a copy, so that each occurrence is corrupted independently


def corrupt_bytes(generator: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a seed with one to four changes: bits flipped, bytes removed, repeated or inserted, or seeds spliced."""
    data = bytearray(generator.choice(seeds))
    for _ in range(generator.randint(1, 4)):
        position = generator.randint(0, len(data))
        match generator.randrange(7):
            case 0 if data:
                data[position % len(data)] ^= 1 << generator.randrange(8)
            case 1 if data:
                data[position % len(data)] = generator.randrange(256)
            case 2:
                del data[position:]
            case 3:
                del data[position : position + generator.randint(1, 9)]
            case 4:
                data[position:position] = data[position : position + generator.randint(1, 40)]
            case 5:
                other = generator.choice(seeds)
                data[position:] = other[generator.randint(0, len(other)) :]
            case _:
                data[position:position] = generator.choice(_ODD_BYTES)
    return bytes(data)


def corrupt_tree(generator: random.Random, tree: Any) -> Any:
    """Return a copy of a tree with some parts replaced, removed, renamed, repeated or moved."""
    whole = copy.deepcopy(tree)
    for _ in range(generator.randint(1, 3)):
        containers = list(_iterate_containers(whole))
        if not containers:
            return _choose_odd_value(generator)
        container = generator.choice(containers)
        if isinstance(container, dict):
            _corrupt_mapping(generator, container, whole)
        else:
            _corrupt_list(generator, container)
    return whole


def _corrupt_mapping(generator: random.Random, container: dict[str, Any], whole: Any) -> None:
    key = generator.choice(list(container)) if container else "x"
    match generator.randrange(5):
        case 0:
            container[key] = _choose_odd_value(generator)
        case 1:
            container.pop(key, None)
        case 2:
            container[f"{key}{generator.choice('sx_')}"] = container.pop(key, None)
        case 3:
            container[key] = [container.get(key)]
        case _:
            container[key] = copy.deepcopy(generator.choice(list(_iterate_containers(whole))))


def _corrupt_list(generator: random.Random, container: list[Any]) -> None:
    position = generator.randint(0, len(container))
    match generator.randrange(3):
        case 0:
            container.insert(position, _choose_odd_value(generator))
        case 1:
            del container[position : position + 1]
        case _:
            container[position:position] = copy.deepcopy(container[position : position + 1])


def _iterate_containers(tree: Any) -> Any:
    """Yield every mapping and list in a tree."""
    if isinstance(tree, dict | list):
        yield tree
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _iterate_containers(part)
