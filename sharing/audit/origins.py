"""The names of logs and of witnesses in checkpoints: schema-less addresses, as C2SP signed-note recommends.

The log of decisions of partition 3 of Switzerland is `ch.sharing/decisions/3`; the witness of Germany, which cosigns
checkpoints of others, is `de.sharing/witness`.
"""

from __future__ import annotations

import re
from typing import Final

from sharing.audit.block import LogPlace
from sharing.errors import InputError
from sharing.model.countries import STATES
from sharing.model.vocabulary import AuditLogName

PARTITIONS_MAX: Final = 100_000

_ORIGIN: Final = re.compile(r"([a-z]{2})\.sharing/(decisions|acts)/(0|[1-9][0-9]{0,5})", re.ASCII)
_WITNESS: Final = re.compile(r"([a-z]{2})\.sharing/witness", re.ASCII)


def format_origin(place: LogPlace) -> str:
    """Return the origin of a log, which is also the name of the key in its signature."""
    return f"{place.state.lower()}.sharing/{place.log.lower()}/{place.partition}"


def parse_origin(text: str) -> LogPlace:
    """Return the log that an origin names.

    Raises:
        InputError: It is not the origin of a log.
    """
    match = _ORIGIN.fullmatch(text)
    if match is None or match[1].upper() not in STATES or int(match[3]) >= PARTITIONS_MAX:
        raise InputError("is not the origin of a log, such as ch.sharing/decisions/0")
    return LogPlace(match[1].upper(), AuditLogName(match[2].upper()), int(match[3]))


def format_witness(state: str) -> str:
    """Return the name under which a State cosigns checkpoints of others."""
    return f"{state.lower()}.sharing/witness"


def parse_witness(name: str) -> str | None:
    """Return the State that cosigns under a name; None if it is not the name of a witness."""
    match = _WITNESS.fullmatch(name)
    state = "" if match is None else match[1].upper()
    return state if state in STATES else None
