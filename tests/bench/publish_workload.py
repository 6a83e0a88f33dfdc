"""Lines that an agency publishes: every type of value, and the facts of some investigations, as JSON lines.

A line has what an agency's system exports: the facts of its investigation, which many lines share; the time of the
observation, which none share; for every third a summary of its own, and for every second an id.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from base58_bech32.base58 import b58encode_check
from schwifty import IBAN
from stdnum import luhn

from sharing.model.values import VALUE_TYPES

CASES: Final = 60
"""Number of investigations."""

Draw = Callable[[random.Random], str]

_FIRST_SEEN: Final = datetime(2026, 3, 1, tzinfo=UTC)
_COUNTRIES: Final = ("CH", "DE", "FR", "NL", "GB", "US", "JP")
_BANKS: Final = {"CH": "00762", "DE": "37040044", "NL": "ABNA", "FR": "20041"}
_ACCOUNT_DIGITS: Final = {"CH": 12, "DE": 10, "NL": 10, "FR": 11}


def _hex(length: int) -> Draw:
    return lambda rng: f"{rng.getrandbits(4 * length):0{length}x}"


def _letters(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=9)).title()


def _digits(rng: random.Random, length: int) -> str:
    return f"{rng.randrange(10**length):0{length}}"


def _domain(rng: random.Random) -> str:
    dot = rng.choice((".", ".", ".", "[.]"))
    return f"{_hex(8)(rng)}{dot}example{dot}{rng.choice(('nl', 'de', 'com', 'net', 'org', 'fr'))}"


def _host(rng: random.Random) -> str:
    return _domain(rng).replace("[.]", ".")


def _phone(rng: random.Random) -> str:
    prefix, length = rng.choice((("+49 30 9018", 5), ("+41 44 668", 4), ("+31 20 555", 4), ("+44 20 7946", 4)))
    return f"{prefix}{rng.choice(('', ' '))}{_digits(rng, length)}"


def _iban(rng: random.Random) -> str:
    country = rng.choice(("CH", "DE", "NL"))
    return str(IBAN.generate(country, _BANKS[country], _digits(rng, _ACCOUNT_DIGITS[country])))


def _with_check_digit(prefix: str, length: int) -> Draw:
    def draw(rng: random.Random) -> str:
        number = prefix + _digits(rng, length - len(prefix) - 1)
        return f"{number}{luhn.calc_check_digit(number)}"

    return draw


def _bitcoin(rng: random.Random) -> str:
    return str(b58encode_check(b"\0" + rng.randbytes(20)).decode())


def _onion(rng: random.Random) -> str:
    key = rng.randbytes(32)
    checksum = hashlib.sha3_256(b".onion checksum" + key + b"\3").digest()[:2]
    return base64.b32encode(key + checksum + b"\3").decode().lower() + ".onion"


def _url(rng: random.Random) -> str:
    return f"{rng.choice(('https', 'http', 'hxxps'))}://{_domain(rng)}/{_hex(12)(rng)}?id={_digits(rng, 4)}"


def _country_code(rng: random.Random) -> str:
    return rng.choice(_COUNTRIES)


_COMMON: Final[tuple[tuple[float, str, Draw], ...]] = (
    (24, "domain-name", _domain),
    (14, "file-sha256", _hex(64)),
    (12, "ipv4-addr", lambda rng: f"198.51.{rng.randrange(256)}.{rng.randrange(256)}"),
    (11, "url", _url),
    (6, "file-sha1", _hex(40)),
    (5, "file-md5", lambda rng: _hex(32)(rng).upper()),
    (5, "email-addr", lambda rng: f"{_hex(7)(rng)}@{_host(rng)}"),
    (4, "phone-number", _phone),
    (3, "iban", _iban),
    (2, "ipv6-addr", lambda rng: f"2001:DB8:{rng.randrange(1, 65536):x}:0:0:0:0:{rng.randrange(1, 65536):x}"),
    (1, "btc-address", _bitcoin),
    (1, "x509-certificate", lambda rng: ":".join(f"{byte:02X}" for byte in rng.randbytes(20))),
    (1, "network-traffic", lambda rng: f"tcp://{_host(rng)}:{rng.randrange(1, 65536)}"),
    (1, "user-account", lambda rng: f"telegram:@{_hex(9)(rng)}"),
    (1, "vehicle-registration", lambda rng: f"{_country_code(rng)}:ZH {_digits(rng, 6)}"),
    (0.5, "cc-number", _with_check_digit("411111", 16)),
    (0.5, "imei", _with_check_digit("49015420", 15)),
    (0.5, "iccid", _with_check_digit("894102", 20)),
    (0.5, "mutex", lambda rng: f"Global\\{_hex(12)(rng)}"),
    (0.5, "windows-registry-key", lambda rng: f"HKLM\\Software\\{_hex(10)(rng)}"),
    (0.5, "onion-address", _onion),
    (0.5, "passport-number", lambda rng: f"{_country_code(rng)}:X{_digits(rng, 7)}"),
    (0.5, "company-number", lambda rng: f"{_country_code(rng)}:{_digits(rng, 8)}"),
    (0.5, "person", lambda rng: f"{_letters(rng)} Muster|19{rng.randrange(50, 99)}-0{rng.randrange(1, 10)}-17"),
    (0.5, "coin-address", lambda rng: f"ETH:0x{_hex(40)(rng)}"),
)
"""Weight in per cent, type, and function that draws a value. All other types share the rest, each with its example."""

_TYPES: Final[tuple[tuple[float, str, Draw], ...]] = (
    *_COMMON,
    *(
        (4.0 / (len(VALUE_TYPES) - len(_COMMON)), name, lambda _, example=value_type.example: example)
        for name, value_type in VALUE_TYPES.items()
        if name not in {name for _, name, _ in _COMMON}
    ),
)
_WEIGHTS: Final = tuple(itertools.accumulate(weight for weight, _, _ in _TYPES))

_OFFENCES: Final = (["ILLEGAL_ACCESS"], ["ILLEGAL_ACCESS", "DATA_INTERFERENCE"], ["ICT_FRAUD_THEFT"], ["LAUNDERING"])
_TAGS: Final = ("malware", "phishing", "ransomware", "money-mule", "botnet")


def make_case(rng: random.Random, number: int) -> dict[str, Any]:
    """Return the facts of an investigation, as its agency exports them."""
    facts: dict[str, Any] = {
        "source": {"authority": "POLICE", "officer": f"o-{number % 9}", "case": f"2026/{4100 + number}"},
        "form": "INFORMATION",
        "offence": {
            "codes": rng.choice(_OFFENCES),
            "modus_operandi": rng.sample(_TAGS, 2),
            "max_penalty_years": rng.choice((3, 5, 10)),
        },
        "collection": rng.choice(("OPEN_SOURCE", "SEARCH", "VOLUNTARY", "TRAFFIC_DATA")),
        "secrecy_domain": rng.choice((False, False, True)),
        "personal_data": rng.choice((True, False)),
        "special_category": False,
        "subject_class": rng.choice(("SUSPECT", "NONE")),
        "assertion": "FACT",
        "purpose": "DETECTION",
        "urgency": rng.choice(("ORDINARY", "ORDINARY", "URGENT")),
        "live_case_harm": rng.choice((False, False, None)),
        "character": [],
        "tlp": rng.choice(("AMBER", "GREEN", None)),
        "grading": {"source": "B", "information": 2},
    }
    if rng.random() < 0.4:
        facts["nexus"] = [{"state": rng.choice(("NL", "DE", "FR")), "reason": "infrastructure"}]
    return facts


def make_lines(count: int, seed: int = 11) -> Iterator[str]:
    """Yield lines, of which all are valid and none are equal. The first ones do not depend on `count`."""
    rng = random.Random(seed)
    cases = [make_case(rng, number) for number in range(CASES)]
    seen = _FIRST_SEEN
    for number in range(count):
        _, type_name, draw = rng.choices(_TYPES, cum_weights=_WEIGHTS)[0]
        seen += timedelta(milliseconds=rng.randrange(1, 90_000))
        line: dict[str, Any] = {"type": type_name, "value": draw(rng)}
        if number % 2:
            line = {"id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), **line}
        if number % 3 == 0:
            line["summary"] = f"Observed {rng.randrange(1, 400)} times; see page {number} of the file, Zürich."
        line["observed_at"] = seen.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line.update(cases[rng.randrange(CASES)])
        yield json.dumps(line)
