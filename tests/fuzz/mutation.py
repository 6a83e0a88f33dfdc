"""Spoils inputs: bytes anywhere, JSON and YAML trees where it hurts."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

_BYTES = (
    b"\x00",
    b"\xff",
    b"\x80\x80\x80\x80\x80\x01",
    b"\xff" * 10 + b"\x01",
    b"\xed\xa0\x80",
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
)
"""NUL, long and negative varints, half a surrogate, line ends, a byte order mark."""

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63, -(2**63) - 1, 1e308, "", " ", "\x00", "\x1b[31m", "NO", "1", "\ud800",
    "9999-12-31T23:59:59-23:59", "0000-00-00", [], {}, [[]], [None], {"": None}, "a" * 3_000, "é" * 300, "|", "a|b|c",
)  # fmt: skip


def _odd(draw: random.Random) -> Any:
    return copy.deepcopy(draw.choice(_ODD))  # else what is put in twice would be spoilt twice


def spoil_bytes(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a seed with one to four places spoilt: flipped, cut, doubled, spliced with another, or put in."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.randint(1, 4)):
        at = draw.randint(0, len(data))
        match draw.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << draw.randrange(8)
            case 1 if data:
                data[at % len(data)] = draw.randrange(256)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + draw.randint(1, 9)]
            case 4:
                data[at:at] = data[at : at + draw.randint(1, 40)]
            case 5:
                other = draw.choice(seeds)
                data[at:] = other[draw.randint(0, len(other)) :]
            case _:
                data[at:at] = draw.choice(_BYTES)
    return bytes(data)


def spoil_tree(draw: random.Random, tree: Any) -> Any:
    """Return a copy of a tree with some of its parts replaced, removed, renamed, doubled or put elsewhere."""
    whole = copy.deepcopy(tree)
    for _ in range(draw.randint(1, 3)):
        holders = list(_holders(whole))
        if not holders:
            return _odd(draw)
        holder = draw.choice(holders)
        if isinstance(holder, dict):
            _spoil_mapping(draw, holder, whole)
        else:
            _spoil_list(draw, holder)
    return whole


def _spoil_mapping(draw: random.Random, holder: dict[str, Any], whole: Any) -> None:
    key = draw.choice(list(holder)) if holder else "x"
    match draw.randrange(5):
        case 0:
            holder[key] = _odd(draw)
        case 1:
            holder.pop(key, None)
        case 2:
            holder[f"{key}{draw.choice('sx_')}"] = holder.pop(key, None)
        case 3:
            holder[key] = [holder.get(key)]
        case _:
            holder[key] = copy.deepcopy(draw.choice(list(_holders(whole))))


def _spoil_list(draw: random.Random, holder: list[Any]) -> None:
    at = draw.randint(0, len(holder))
    match draw.randrange(3):
        case 0:
            holder.insert(at, _odd(draw))
        case 1:
            del holder[at : at + 1]
        case _:
            holder[at:at] = copy.deepcopy(holder[at : at + 1])


def _holders(tree: Any) -> Any:
    """Yield every mapping and list."""
    if isinstance(tree, dict | list):
        yield tree
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _holders(part)
