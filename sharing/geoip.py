"""The country of an IP address, from a MaxMind-format database of the operator's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import maxminddb

from sharing.errors import SettingsError
from sharing.relevance.nexus import GeoLookup


def open_lookup(path: Path) -> GeoLookup:
    """Return a lookup in a database with `country.iso_code`, such as GeoLite2 Country or DB-IP Country.

    Raises:
        SettingsError: It is not there, or no such database.
    """
    try:
        reader = maxminddb.open_database(str(path))
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise SettingsError(
            f"{path} is no MaxMind-format database ({error}); mend SHARING_GEOIP or leave it out"
        ) from None

    def locate(address: str) -> str | None:
        try:
            found: Any = reader.get(address)
        except ValueError:
            return None  # an IPv6 address in a database of IPv4
        country = found.get("country") if isinstance(found, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) else None

    return locate
