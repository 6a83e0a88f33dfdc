"""Indicators as they come: realistic in types, sizes and facts, and with a known share that the law lets out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from sharing.ids import content_id
from sharing.model.indicator import Indicator
from sharing.wire import codec

_HEX = "0123456789abcdef"


def _hex(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(_HEX, k=length))


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

_DISCLOSED: dict[str, Any] = {
    "source": {"authority": "POLICE"},
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


def make_indicators(count: int, disclosed_share: float, seed: int = 7) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and framed records of Swiss indicators; `disclosed_share` of them go to the Netherlands at once."""
    draw = random.Random(seed)
    weights = [weight for weight, _, _ in _VALUES]
    encode = codec("indicator").encode
    for number in range(count):
        _, kind, make = draw.choices(_VALUES, weights)[0]
        disclosed = draw.random() < disclosed_share
        facts = {**_DISCLOSED, **({} if disclosed else draw.choice(_WITHHELD))}
        item = Indicator.read(
            {
                "id": content_id(f"bench/{seed}/{number}"),
                "type": kind,
                "value": make(draw),
                "summary": "Seen in an investigation; see the report." if draw.random() < 0.3 else None,
                "offence": {"codes": draw.choice(_OFFENCES), "modus_operandi": ["malware"], "max_penalty_years": 3},
                "nexus": [{"state": "NL", "reason": "infrastructure"}] if disclosed else [],
                **facts,
                "source": {"state": "CH", "agency": f"agency-{draw.randrange(5)}", "authority": "POLICE"},
            }
        )
        yield item.id.encode(), encode(item.to_wire())
