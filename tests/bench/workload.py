"""The workload: indicators with realistic types, sizes and facts, of which a known share is disclosed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

from sharing.ids import make_content_id
from sharing.model.indicator import Indicator
from sharing.serialization.codec import get_codec, get_split_codecs


def _draw_hex(rng: random.Random, length: int) -> str:
    return f"{rng.getrandbits(4 * length):0{length}x}"


def _draw_domain(rng: random.Random) -> str:
    return f"{_draw_hex(rng, 8)}.example.{rng.choice(('nl', 'de', 'com', 'net', 'org', 'fr'))}"


_VALUES: tuple[tuple[int, str, Callable[[random.Random], str]], ...] = (
    (30, "domain-name", _draw_domain),
    (20, "file-sha256", lambda rng: _draw_hex(rng, 64)),
    (15, "ipv4-addr", lambda rng: f"198.51.{rng.randrange(256)}.{rng.randrange(256)}"),
    (15, "url", lambda rng: f"https://{_draw_domain(rng)}/{_draw_hex(rng, 12)}"),
    (10, "file-sha1", lambda rng: _draw_hex(rng, 40)),
    (6, "email-addr", lambda rng: f"{_draw_hex(rng, 7)}@{_draw_domain(rng)}"),
    (4, "phone-number", lambda rng: f"+49309018{rng.randrange(10**5):05}"),
)
"""Weight, type, and function that draws a value; approximately the mix of published MISP events."""

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
"""Facts of an item that the shipped packs disclose: every fact that they test, with a value that restricts nothing."""

_DISCLOSED: dict[str, Any] = {**OPEN_FACTS, "source": {"authority": "POLICE"}}
_WITHHELD: tuple[dict[str, Any], ...] = (
    {"secrecy_domain": True},
    {"live_case_harm": True},
    {"collection": "TRAFFIC_DATA"},
    {"live_case_harm": None},
    {"purpose": None},
    {"tlp": "RED", "nexus": []},
)
"""Facts that cause an item to be withheld: a prohibition, or an unknown fact."""

_OFFENCES = (["ILLEGAL_ACCESS"], ["ILLEGAL_ACCESS", "DATA_INTERFERENCE"], ["SYSTEM_INTERFERENCE"], ["ICT_FRAUD_THEFT"])
_SUMMARY = "Seen in an investigation; see the report."
_AGENCIES = 5
AGENCIES = tuple(f"agency-{number}" for number in range(_AGENCIES))


def make_indicators(count: int, disclosed_share: float, seed: int = 7) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and framed records of Swiss indicators; `disclosed_share` of them go to the Netherlands immediately.

    The first records do not depend on `count`. The part of a record after the value repeats, so the model encodes each
    distinct part once: a million records take seconds.
    """
    rng = random.Random(seed)
    weights = list(itertools.accumulate(weight for weight, _, _ in _VALUES))
    header = get_codec("indicator").header
    tails: dict[tuple[int | None, bool, int, int], bytes] = {}
    for number in range(count):
        _, kind, draw_value = rng.choices(_VALUES, cum_weights=weights)[0]
        withheld = None if rng.random() < disclosed_share else rng.randrange(len(_WITHHELD))
        variant = (withheld, rng.random() < 0.3, rng.randrange(len(_OFFENCES)), rng.randrange(_AGENCIES))
        identity, value = make_content_id(f"bench/{seed}/{number}").encode(), draw_value(rng)
        tail = tails.get(variant)
        if tail is None:
            tail = tails[variant] = _encode_tail(kind, value, *variant)
        # Version 1, PUBLISH, no reason: 2, 0 and 0 in Avro's zigzag encoding.
        yield (
            identity,
            b"".join((header, b"\x48", identity, b"\x02\x00\x00", _encode_text(kind), _encode_text(value), tail)),
        )


def _encode_tail(kind: str, value: str, withheld: int | None, summarised: bool, offence: int, agency: int) -> bytes:
    """Return the bytes of all fields after the value."""
    facts = {**_DISCLOSED, **({} if withheld is None else _WITHHELD[withheld])}
    item = Indicator.parse(
        {
            "id": make_content_id("bench"),
            "type": kind,
            "value": value,
            "summary": _SUMMARY if summarised else None,
            "offence": {"codes": _OFFENCES[offence], "modus_operandi": ["malware"], "max_penalty_years": 3},
            "nexus": [{"state": "NL", "reason": "infrastructure"}] if withheld is None else [],
            **facts,
            "source": {"state": "CH", "agency": f"agency-{agency}", "authority": "POLICE"},
        }
    ).to_record()
    _, tail = get_split_codecs("indicator", "summary")
    return tail.encode_unframed({field["name"]: item[field["name"]] for field in tail.schema["fields"]})


def _encode_text(text: str) -> bytes:
    """Return the Avro encoding of a short ASCII string."""
    data, length = text.encode("ascii"), 2 * len(text)
    return (bytes((length,)) if length < 128 else bytes((length & 127 | 128, length >> 7))) + data
