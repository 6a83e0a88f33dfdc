"""Country codes: ISO 3166-1 alpha-2 and two aliases, nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.countries import COUNTRIES, country_name, normalise_country


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
def test_what_the_standard_does_not_assign_is_refused(code: str) -> None:
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
def test_the_nearest_country_is_named(code: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        normalise_country(code)


def test_the_input_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        normalise_country("Erika Mustermann")
    assert "Mustermann" not in str(caught.value)


def test_the_list_is_that_of_the_standard() -> None:
    assert len(COUNTRIES) == 249
    assert {"CH", "DE", "NL", "FR", "GB", "US", "CA", "AU", "JP"} <= COUNTRIES
    assert not {"UK", "EL", "XK", "EU"} & COUNTRIES


@pytest.mark.parametrize(("code", "name"), [("CH", "Switzerland"), ("uk", "United Kingdom"), ("JP", "Japan")])
def test_names(code: str, name: str) -> None:
    assert country_name(code) == name


@settings(deadline=None)
@given(st.text(max_size=4))
def test_normalised_codes_are_stable_and_known(text: str) -> None:
    try:
        code = normalise_country(text)
    except InputError:
        return
    assert code in COUNTRIES
    assert normalise_country(code) == code
