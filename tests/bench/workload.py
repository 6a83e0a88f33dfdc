"""Indicators as they come: realistic in types, sizes and facts, and with a known share that the law lets out."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

from sharing.ids import content_id
from sharing.model.indicator import Indicator
from sharing.serialization.codec import codec_of, split_codec_of


def _hex(draw: random.Random, length: int) -> str:
    return f"{draw.getrandbits(4 * length):0{length}x}"


def _domain(draw: random.Random) -> str:
    return f"{_hex(draw, 8)}.example.{draw.choice(('nl', 'de', 'com', 'net', 'org', 'fr'))}"


_VALUES: tuple[tuple[int, str, Callable[[random.Random], str]], ...] = (
    (30, "domain-name", _domain),
    (20, "file-sha256", lambda draw: _hex(draw, 64)),
    (15, "ipv4-addr", lambda draw: f"198.51.{draw.randrange(256)}.{draw.randrange(256)}"),
    (15, "url", lambda draw: f"https://{_domain(draw)}/{_hex(draw, 12)}"),
    (10, "file-sha1", lambda draw: _hex(draw, 40)),
    (6, "email-addr", lambda draw: f"{_hex(draw, 7)}@{_domain(draw)}"),
    (4, "phone-number", lambda draw: f"+49309018{draw.randrange(10**5):05}"),
)
"""Weight, type, and how a value is drawn; about the mix of published MISP events."""

TYPES = tuple(name for _, name, _ in _VALUES)

OPEN_FACTS: dict[str, Any] = {
    "form": "INFORMATION",
    "collection": "OPEN_SOURCE",
    "secrecy_domain": False,
    "personal_data": False,
    "special_category": False,
    "subject_class": "NONE",
    "assertion": "FACT",
    "purpose": "DETECTION",
    "urgency": "ORDINARY",
    "live_case_harm": False,
    "character": [],
}
"""Of an item that the shipped packs let out: what they ask, answered so that nothing stands against it."""

_DISCLOSED: dict[str, Any] = {**OPEN_FACTS, "source": {"authority": "POLICE"}}
_WITHHELD: tuple[dict[str, Any], ...] = (
    {"secrecy_domain": True},
    {"live_case_harm": True},
    {"collection": "TRAFFIC_DATA"},
    {"live_case_harm": None},
    {"purpose": None},
    {"tlp": "RED", "nexus": []},
)
"""What keeps an item at home: a prohibition, or a fact that nobody stated."""

_OFFENCES = (["ILLEGAL_ACCESS"], ["ILLEGAL_ACCESS", "DATA_INTERFERENCE"], ["SYSTEM_INTERFERENCE"], ["ICT_FRAUD_THEFT"])
_SUMMARY = "Seen in an investigation; see the report."
_AGENCIES = 5


def make_indicators(count: int, disclosed_share: float, seed: int = 7) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and framed records of Swiss indicators; `disclosed_share` of them go to the Netherlands at once.

    The first are the same, however many are asked for. What follows the value in a record repeats, so each such part
    is made by the model once: a million records take seconds.
    """
    draw = random.Random(seed)
    weights = list(itertools.accumulate(weight for weight, _, _ in _VALUES))
    header = codec_of("indicator").header
    tails: dict[tuple[int | None, bool, int, int], bytes] = {}
    for number in range(count):
        _, kind, make = draw.choices(_VALUES, cum_weights=weights)[0]
        withheld = None if draw.random() < disclosed_share else draw.randrange(len(_WITHHELD))
        alike = (withheld, draw.random() < 0.3, draw.randrange(len(_OFFENCES)), draw.randrange(_AGENCIES))
        identity, value = content_id(f"bench/{seed}/{number}").encode(), make(draw)
        tail = tails.get(alike)
        if tail is None:
            tail = tails[alike] = _encode_tail(kind, value, *alike)
        # Version 1, PUBLISH, no reason: two, nought and nought in Avro's zigzag.
        yield identity, b"".join((header, b"\x48", identity, b"\x02\x00\x00", _text(kind), _text(value), tail))


def _encode_tail(kind: str, value: str, withheld: int | None, summarised: bool, offence: int, agency: int) -> bytes:
    """Return the bytes of all fields after the value."""
    facts = {**_DISCLOSED, **({} if withheld is None else _WITHHELD[withheld])}
    item = Indicator.read(
        {
            "id": content_id("bench"),
            "type": kind,
            "value": value,
            "summary": _SUMMARY if summarised else None,
            "offence": {"codes": _OFFENCES[offence], "modus_operandi": ["malware"], "max_penalty_years": 3},
            "nexus": [{"state": "NL", "reason": "infrastructure"}] if withheld is None else [],
            **facts,
            "source": {"state": "CH", "agency": f"agency-{agency}", "authority": "POLICE"},
        }
    ).to_wire()
    _, tail = split_codec_of("indicator", "summary")
    return tail.encode_bare({field["name"]: item[field["name"]] for field in tail.schema["fields"]})


def _text(text: str) -> bytes:
    """Return a short ASCII string as Avro writes it."""
    data, length = text.encode("ascii"), 2 * len(text)
    return (bytes((length,)) if length < 128 else bytes((length & 127 | 128, length >> 7))) + data
