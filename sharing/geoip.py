"""Looks up the country of an IP address in a MaxMind-format database supplied by the operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import maxminddb

from sharing.errors import SettingsError
from sharing.relevance.nexus import GeoLookup


def open_geoip_lookup(path: Path) -> GeoLookup:
    """Return a lookup function for a database with `country.iso_code`, such as GeoLite2 Country or DB-IP Country.

    Raises:
        SettingsError: The file does not exist, or is not such a database.
    """
    try:
        reader = maxminddb.open_database(str(path))
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise SettingsError(
            f"SHARING_GEOIP: {path} must be a MaxMind-format database ({error}); correct the setting or remove it"
        ) from None

    def locate(address: str) -> str | None:
        try:
            entry: Any = reader.get(address)
        except ValueError:
            return None  # an IPv6 address, and the database only has IPv4
        country = entry.get("country") if isinstance(entry, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) else None

    return locate
