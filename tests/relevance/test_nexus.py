"""The States that a value points to: examples for each type, and arbitrary values that must not fail."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.model.countries import COUNTRIES
from sharing.model.values import VALUE_TYPES, is_normalised_value
from tests.relevance.derived_nexus import derive_nexus


def locate_address(address: str) -> str | None:
    """Return the country of an address, in place of a geolocation database."""
    return {"198.51.100.7": "JP", "203.0.113.0": "br", "2001:db8::7": "UK", "192.0.2.1": "EU", "192.0.2.2": ""}.get(
        address
    )


EXAMPLES = [
    ("phone-number", "+41446681800", "CH", "E.164 prefix +41"),
    ("phone-number", "+447400123456", "GB", "E.164 prefix +44"),
    ("phone-number", "+441534488888", "JE", "E.164 prefix +44"),  # one prefix, several numbering plans
    ("phone-number", "+16135550000", "CA", "E.164 prefix +1"),
    ("phone-number", "+12125550000", "US", "E.164 prefix +1"),
    ("phone-number", "+77012345678", "KZ", "E.164 prefix +7"),
    ("phone-number", "+74951234567", "RU", "E.164 prefix +7"),
    ("phone-number", "+80012345678", None, ""),  # international freephone
    ("phone-number", "+881612345678", None, ""),  # satellite
    ("phone-number", "+883510012345678", None, ""),  # international networks
    ("imsi", "228011234567890", "CH", "IMSI country code"),
    ("imsi", "234101234567890", "GB", "IMSI country code"),
    ("imsi", "310150123456789", "US", "IMSI country code"),
    ("imsi", "901011234567890", None, ""),  # international
    ("iban", "CH9300762011623852957", "CH", "IBAN country"),
    ("iban", "GB29NWBK60161331926819", "GB", "IBAN country"),
    ("iban", "XK051212012345678906", None, ""),  # Kosovo: in use, not in the standard
    ("bic", "DEUTDEFF", "DE", "BIC country"),
    ("bic", "UBSWCHZH80A", "CH", "BIC country"),
    ("bank-account-nr", "US:1234567890", "US", "country of the bank account"),
    ("passport-number", "FR:12AB34567", "FR", "issuing State of the passport"),
    ("identity-card-number", "BE:590123456789", "BE", "issuing State of the identity card"),
    ("company-number", "NL:12345678", "NL", "State of the company register"),
    ("vehicle-registration", "DE:BAB1234", "DE", "State of the vehicle registration"),
    ("domain-name", "example.ch", "CH", "ccTLD .ch"),
    ("domain-name", "www.example.co.uk", "GB", "ccTLD .uk"),
    ("domain-name", "example.no", "NO", "ccTLD .no"),
    ("domain-name", "example.io", "IO", "ccTLD .io"),
    ("domain-name", "example.com", None, ""),
    ("domain-name", "example.eu", None, ""),  # not a State
    ("domain-name", "example.su", None, ""),  # no longer a State
    ("domain-name", "ch.example.org", None, ""),
    ("url", "http://example.fr/a.ch?b=x.de#c.it", "FR", "ccTLD .fr"),
    ("url", "https://user:p%40ss@example.de:8443/x", "DE", "ccTLD .de"),
    ("url", "https://ch@example.org/", None, ""),
    ("url", "http://example.nl?x=/y.ch", "NL", "ccTLD .nl"),
    ("url", "http://198.51.100.7:8080/x.ch", "JP", "IP geolocation"),
    ("url", "http://[2001:db8::7]:8080/", "GB", "IP geolocation"),
    ("network-traffic", "tcp://198.51.100.7:443", "JP", "IP geolocation"),
    ("network-traffic", "udp://c2.example.se:53", "SE", "ccTLD .se"),
    ("network-traffic", "icmp://198.51.100.7", "JP", "IP geolocation"),
    ("email-addr", "someone@example.jp", "JP", "ccTLD .jp"),
    ("email-addr", "ch@example.org", None, ""),
    ("jabber-id", "someone@example.at", "AT", "ccTLD .at"),
    ("ipv4-addr", "198.51.100.7", "JP", "IP geolocation"),
    ("ipv4-addr", "203.0.113.0/24", "BR", "IP geolocation"),
    ("ipv4-addr", "192.0.2.1", None, ""),  # the database returns a region that is not a State
    ("ipv4-addr", "192.0.2.2", None, ""),
    ("ipv4-addr", "192.0.2.3", None, ""),  # not in the database
    ("ipv6-addr", "2001:db8::7", "GB", "IP geolocation"),
]
# Types whose values do not point to a State.
TYPES_WITHOUT_STATE = sorted(set(VALUE_TYPES) - {type_name for type_name, *_ in EXAMPLES})


@pytest.mark.parametrize(("type_name", "value", "state", "detail"), EXAMPLES)
def test_a_value_points_to_its_state(type_name: str, value: str, state: str | None, detail: str) -> None:
    assert derive_nexus(type_name, value, locate_address) == (((state, detail),) if state else ())


def test_the_examples_are_in_normal_form() -> None:
    assert [value for type_name, value, *_ in EXAMPLES if not is_normalised_value(type_name, value)] == []


@pytest.mark.parametrize("type_name", TYPES_WITHOUT_STATE)
def test_a_type_without_a_country_points_to_no_state(type_name: str) -> None:
    assert derive_nexus(type_name, VALUE_TYPES[type_name].example, lambda _: "CH") == ()


def test_sixteen_types_can_point_to_a_state() -> None:
    assert len(TYPES_WITHOUT_STATE) == len(VALUE_TYPES) - 16


def test_without_a_database_an_address_points_to_no_state() -> None:
    assert derive_nexus("ipv4-addr", "198.51.100.7") == ()
    # A ccTLD needs no database.
    assert derive_nexus("url", "http://example.ch/") == (("CH", "ccTLD .ch"),)


@pytest.mark.parametrize("type_name", sorted(VALUE_TYPES))
def test_the_evidence_never_repeats_the_value(type_name: str) -> None:
    value = VALUE_TYPES[type_name].example
    for state, detail in derive_nexus(type_name, value, lambda _: "FR"):
        assert state in COUNTRIES
        assert value not in detail
        # At most the part that identifies the State: a calling code, or the last label.
        assert not re.search(r"\d{4}", detail)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(sorted(VALUE_TYPES)), st.data())
def test_any_value_of_the_right_shape_is_accepted(type_name: str, data: st.DataObject) -> None:
    """The gate checks the shape of a value, not its checksum: a value with a wrong checksum must not raise."""
    shape = VALUE_TYPES[type_name].shape
    value = data.draw(st.from_regex(shape, fullmatch=True).filter(lambda text: len(text) < 2_000))
    answer = data.draw(st.sampled_from([None, "FR", "EU", "", "??"]))
    for state, detail in derive_nexus(type_name, value, lambda _: answer):
        assert state in COUNTRIES
        assert detail
