"""Country lookup of IP addresses in a MaxMind-format database."""

from __future__ import annotations

from pathlib import Path

import mmdb_writer
import pytest
from netaddr import IPSet

from sharing.errors import SettingsError
from sharing.geoip import open_geoip_lookup
from tests.relevance.derived_nexus import derive_nexus


@pytest.fixture
def database(tmp_path: Path) -> Path:
    writer = mmdb_writer.MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-Country")
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"country": {"iso_code": "DE"}})
    writer.insert_network(IPSet(["2001:db8::/32"]), {"country": {"iso_code": "NL"}})
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"continent": {"code": "EU"}})
    path = tmp_path / "country.mmdb"
    writer.to_db_file(str(path))
    return path


@pytest.mark.parametrize(
    ("type_name", "value", "state"),
    [
        ("ipv4-addr", "198.51.100.7", "DE"),
        ("ipv4-addr", "198.51.100.0/28", "DE"),
        ("ipv6-addr", "2001:db8::1", "NL"),
        ("url", "https://198.51.100.7/x", "DE"),
        ("url", "https://[2001:db8::1]:8443/x", "NL"),
        ("network-traffic", "tcp://198.51.100.7:443", "DE"),
    ],
)
def test_an_address_points_to_its_country(type_name: str, value: str, state: str, database: Path) -> None:
    assert derive_nexus(type_name, value, open_geoip_lookup(database)) == ((state, "IP geolocation"),)


@pytest.mark.parametrize("value", ["203.0.113.5", "192.0.2.1"])
def test_an_address_without_a_country_has_no_nexus(value: str, database: Path) -> None:
    assert derive_nexus("ipv4-addr", value, open_geoip_lookup(database)) == ()


def test_without_a_database_an_address_has_no_nexus() -> None:
    assert derive_nexus("ipv4-addr", "198.51.100.7") == ()


@pytest.mark.parametrize("content", [None, b"not a database"])
def test_an_invalid_database_is_refused_with_the_name_of_the_setting(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "country.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"SHARING_GEOIP: .* must be a MaxMind-format database"):
        open_geoip_lookup(path)
