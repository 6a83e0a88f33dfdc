"""Country codes: ISO 3166-1 alpha-2, two aliases and the test States, nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.countries import COUNTRIES, STATES, TEST_STATES, country_name, normalise_country
from sharing.model.values.text import InvalidValueError, split_country_code
from tests.relevance.derived_nexus import derive_nexus


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CH", "CH"),
        ("de", "DE"),
        (" fr ", "FR"),
        ("UK", "GB"),
        ("uk", "GB"),
        ("GB", "GB"),
        ("EL", "GR"),
        ("gr", "GR"),
    ],
)
def test_codes_are_upper_case_and_aliases_are_resolved(code: str, expected: str) -> None:
    assert normalise_country(code) == expected
    assert expected in COUNTRIES


@pytest.mark.parametrize(
    "code",
    [
        "",
        "C",
        "XK",
        "EU",
        "ZZ",
        "XX",
        "XD",
        "XZ",
        "QM",
        "AA",
        "CHE",
        "756",
        "Switzerland",
        "C H",
        "ß",
        "ﬀ",
        "\uff23\uff28",
        "\u0421H",
    ],
)
def test_a_code_that_the_standard_does_not_assign_is_refused(code: str) -> None:
    with pytest.raises(InputError, match="ISO 3166-1 alpha-2"):
        normalise_country(code)
    with pytest.raises(InputError):
        country_name(code)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("CHE", r"CH \(Switzerland\)"),
        ("Germany", r"DE \(Germany\)"),
        ("Switzerlnd", r"CH \(Switzerland\)"),
        ("XK", "user-assigned"),
    ],
)
def test_the_error_suggests_the_nearest_country(code: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        normalise_country(code)


def test_the_input_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        normalise_country("Erika Mustermann")
    assert "Mustermann" not in str(caught.value)


def test_the_list_of_countries_is_that_of_the_standard() -> None:
    assert len(COUNTRIES) == 249
    assert {"CH", "DE", "NL", "FR", "GB", "US", "CA", "AU", "JP"} <= COUNTRIES
    assert not {"UK", "EL", "XK", "EU"} & STATES
    assert {"XA", "XB", "XC"} == STATES - COUNTRIES


@pytest.mark.parametrize(("code", "name"), [("CH", "Switzerland"), ("uk", "United Kingdom"), ("JP", "Japan")])
def test_country_names(code: str, name: str) -> None:
    assert country_name(code) == name


def test_test_states_are_states_with_names() -> None:
    assert [normalise_country(code) for code in ("XA", "xb ", "XC")] == ["XA", "XB", "XC"]
    assert [country_name(code) for code in ("XA", "XB", "XC")] == ["Test State A", "Test State B", "Test State C"]
    assert not TEST_STATES.keys() & COUNTRIES


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("iban", "XA9300762011623852957"),
        ("bic", "ABCDXAZZ"),
        ("bank-account-nr", "XA:1234567890"),
        ("passport-number", "XA:X1234567"),
        ("identity-card-number", "XB:X1234567"),
        ("company-number", "XA:12345"),
        ("vehicle-registration", "XB:ZH1"),
        ("domain-name", "example.xa"),
        ("ipv4-addr", "192.0.2.1"),
    ],
)
def test_no_value_points_to_a_test_state(type_name: str, value: str) -> None:
    assert derive_nexus(type_name, value, lambda _: "XA") == ()


def test_no_document_is_issued_by_a_test_state() -> None:
    with pytest.raises(InvalidValueError):
        split_country_code("XA:X1234567")


@settings(deadline=None)
@given(st.text(max_size=4))
def test_normalised_codes_are_stable_and_known(text: str) -> None:
    try:
        code = normalise_country(text)
    except InputError:
        return
    assert code in STATES
    assert normalise_country(code) == code
