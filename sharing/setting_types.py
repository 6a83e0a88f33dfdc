"""What the values of settings may be, beyond their Python type: each type here normalises a text, or refuses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import AfterValidator

from sharing.errors import InputError
from sharing.model.countries import normalise_country
from sharing.model.pack_code import normalise_pack_code
from sharing.passkeys.origin import make_origin
from sharing.topology.name_patterns import AGENCY_PATTERN

_LOG_BEGINNING: Final = r"[a-z]{2}\.sharing/(?:decisions|acts)/[0-9]{1,6}@[0-9]{1,13}"
_SERVER: Final = (
    r"(?:(?:(?i:sasl_)?(?i:plaintext|ssl))://)?(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\],]+)(?::(?P<port>[0-9]{1,9}))?"
)
_PORT_MAX: Final = 65_535


def _refuse_as_value(normalise: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function whose errors pydantic reports as those of a field."""

    def convert(value: str) -> str:
        try:
            return normalise(value)
        except InputError as error:
            raise ValueError(str(error)) from None

    return convert


def _split(value: str) -> list[str]:
    """Return the parts between commas, without those that are empty."""
    return [part.strip() for part in value.split(",") if part.strip()]


def _normalise_states(value: str) -> str:
    return ",".join(dict.fromkeys(map(_normalise_state, _split(value))))


def _check_log_beginnings(value: str) -> str:
    parts = _split(value)
    if not all(re.fullmatch(_LOG_BEGINNING, part) for part in parts):
        raise ValueError("must be names of logs with a number of blocks each, such as de.sharing/decisions/0@1234")
    return ",".join(parts)


def _check_agency(value: str) -> str:
    if not re.match(AGENCY_PATTERN, value):
        raise ValueError("is not an agency's id: use 1 to 40 lower-case letters, digits and '-'")
    return value


def _check_agencies(value: str) -> str:
    agencies = _split(value)
    if not agencies:
        raise ValueError("is empty; give the ids of agencies, separated by commas, such as fedpol,customs")
    wrong = next((agency for agency in agencies if not re.match(AGENCY_PATTERN, agency)), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is not an agency's id: use 1 to 40 lower-case letters, digits and '-'")
    if len(set(agencies)) < len(agencies):
        raise ValueError("an agency is listed twice")
    return ",".join(agencies)


def _normalise_names(value: str) -> str:
    names = [name.strip() for name in value.split(",")]
    if "" in names:
        raise ValueError("must name an agency between any two commas")
    return ",".join(dict.fromkeys(names))


def _check_servers(value: str) -> str:
    """Check the form of bootstrap servers: of a wrong port, librdkafka takes a part."""
    for server in value.split(","):
        match = re.fullmatch(_SERVER, server.strip())
        if match is None or not 1 <= int(match["port"] or 9092) <= _PORT_MAX:
            raise ValueError("must be HOST:PORT, with a port from 1 to 65535, and commas between several servers")
    return value


_normalise_state = _refuse_as_value(normalise_country)

BootstrapServers = Annotated[str, AfterValidator(_check_servers)]
"""Kafka bootstrap servers, separated by commas."""

StateCode = Annotated[str, AfterValidator(_normalise_state)]
"""ISO 3166-1 alpha-2 code of a State, in upper case."""

StateCodes = Annotated[str, AfterValidator(_normalise_states)]
"""Such codes, separated by commas, each once."""

LogBeginnings = Annotated[str, AfterValidator(_check_log_beginnings)]
"""Names of logs, each with a number of blocks, separated by commas."""

PackCode = Annotated[str, AfterValidator(_refuse_as_value(normalise_pack_code))]
"""Code of a law pack."""

AgencyId = Annotated[str, AfterValidator(_check_agency)]
"""Id of an agency, as names of topics have it."""

AgencyIds = Annotated[str, AfterValidator(_check_agencies)]
"""Such ids, separated by commas, each once."""

AgencyNames = Annotated[str, AfterValidator(_normalise_names)]
"""Names of agencies, as items have them, separated by commas."""

Origin = Annotated[str, AfterValidator(_refuse_as_value(make_origin))]
"""Address of a site as browsers compare it."""
