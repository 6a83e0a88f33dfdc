"""Indicator values: which values each type accepts, their normal form, and which values are refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.values import VALUE_TYPES, ValueTypeGroup, is_normalised_value, matches_shape, normalise_value
from tests.model.value_cases import CASES

EXPECTED_TYPES = {  # by group
    ValueTypeGroup.NETWORK: "ipv4-addr ipv6-addr domain-name url autonomous-system mac-addr network-traffic "
    "onion-address user-agent",
    ValueTypeGroup.TLS: "x509-certificate ssh-fingerprint ja3-fingerprint-md5 jarm-fingerprint pgp-public-key",
    ValueTypeGroup.FILE: "file-sha256 file-sha1 file-md5 file-ssdeep file-tlsh artifact mutex windows-registry-key "
    "software process yara vulnerability",
    ValueTypeGroup.ACCOUNT: "email-addr email-message-id user-account jabber-id",
    ValueTypeGroup.TELECOM: "phone-number imei imsi iccid",
    ValueTypeGroup.FINANCE: "iban bank-account-nr bic cc-number cc-bin btc-address xmr-address coin-address "
    "transaction-hash prtn",
    ValueTypeGroup.PERSON: "person passport-number identity-card-number company-number vehicle-registration",
    ValueTypeGroup.CONTENT: "photodna-hash pdq-hash",
}
FREE_TEXT = {"user-agent", "mutex", "software", "process"}  # any line of text is valid
# For each type, the other types whose examples it accepts: some texts are valid for several types.
_NATIONAL = "bank-account-nr passport-number identity-card-number company-number vehicle-registration"
OVERLAPS = {
    "autonomous-system": "cc-bin",
    "x509-certificate": "pgp-public-key file-sha256 file-sha1 pdq-hash",
    "ja3-fingerprint-md5": "file-md5",
    "pgp-public-key": "x509-certificate file-sha256 file-sha1 pdq-hash",
    "file-sha256": "x509-certificate pdq-hash",
    "file-sha1": "pgp-public-key",
    "file-md5": "ja3-fingerprint-md5",
    "artifact": "x509-certificate ja3-fingerprint-md5 pgp-public-key file-sha256 file-sha1 file-md5 "
    "file-tlsh phone-number bic cc-number prtn photodna-hash pdq-hash",  # base64 has no distinguishing mark
    "email-addr": "jabber-id",
    "jabber-id": "email-addr",
    "email-message-id": "email-addr jabber-id",
    "user-account": f"{_NATIONAL} ssh-fingerprint software coin-address transaction-hash",
    "phone-number": "prtn",
    "prtn": "phone-number",
    "cc-number": "imei iccid",
    "coin-address": "ssh-fingerprint user-account",  # of an unknown chain
    "pdq-hash": "x509-certificate file-sha256",
    **{name: " ".join({*_NATIONAL.split()} - {name}) for name in _NATIONAL.split()},
}
BACKGROUND = st.text(alphabet=st.characters(), max_size=40)
EDITS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from("idr"), st.characters() | st.sampled_from(string.printable)),
    max_size=3,
)


def apply_edits(value: str, edits: list[tuple[int, str, str]]) -> str:
    """Insert, delete or replace characters."""
    for position, action, character in edits:
        index = position % (len(value) + 1)
        value = value[:index] + ("" if action == "d" else character) + value[index + (action != "i") :]
    return value


def candidate_values(name: str) -> st.SearchStrategy[str]:
    """Return a strategy of values that are valid, or nearly valid, for a type."""
    known = [*CASES[name].valid, *CASES[name].valid.values(), *CASES[name].invalid, VALUE_TYPES[name].example]
    short = [value for value in known if len(value) < 1000]
    edited = st.builds(apply_edits, st.sampled_from(short), EDITS)
    shaped = st.from_regex(VALUE_TYPES[name].shape, fullmatch=True)
    cased = edited.map(str.swapcase)
    return edited | cased | shaped | BACKGROUND


def test_the_list_of_types_is_as_specified() -> None:
    assert {name: value_type.group for name, value_type in VALUE_TYPES.items()} == {
        name: group for group, names in EXPECTED_TYPES.items() for name in names.split()
    }
    assert set(CASES) == set(VALUE_TYPES)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [(name, value, expected) for name, cases in CASES.items() for value, expected in cases.valid.items()],
)
def test_normal_form(name: str, value: str, expected: str) -> None:
    assert normalise_value(name, value) == expected
    assert normalise_value(name, expected) == expected
    assert is_normalised_value(name, expected)
    assert is_normalised_value(name, value) is (value == expected)
    assert matches_shape(name, expected)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, cases in CASES.items() for value in cases.invalid])
def test_the_error_has_the_expected_form_and_never_the_value(name: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        normalise_value(name, value)
    message = str(caught.value)
    assert caught.value.field == "value"
    assert VALUE_TYPES[name].expected_form in message
    remaining = (
        message.replace(VALUE_TYPES[name].expected_form, "").replace(VALUE_TYPES[name].example, "").replace(name, "")
    )
    assert len(value) < 5 or value not in remaining
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None  # a library's error, which may quote the value, must not be chained
    assert not is_normalised_value(name, value)


@pytest.mark.parametrize("name", VALUE_TYPES)
def test_each_type_has_enough_cases(name: str) -> None:
    assert len(CASES[name].valid) >= 3
    assert len(CASES[name].invalid) >= 4
    assert is_normalised_value(name, VALUE_TYPES[name].example)


@pytest.mark.parametrize("name", sorted(VALUE_TYPES))
@pytest.mark.parametrize("value", ["", " \t\n", "a\x00b", "\x1b[31m", "\ud800", "\u202ecod.exe", "x" * 300_000])
def test_no_type_accepts_empty_oversized_or_control_characters(name: str, value: str) -> None:
    with pytest.raises(InputError):
        normalise_value(name, value)


@pytest.mark.parametrize("name", sorted(set(VALUE_TYPES) - FREE_TEXT))
def test_examples_of_other_types_are_refused(name: str) -> None:
    accepted = set()
    for other in set(VALUE_TYPES) - {name}:
        try:
            normalise_value(name, VALUE_TYPES[other].example)
            accepted.add(other)
        except InputError:
            pass
    assert accepted == set(OVERLAPS.get(name, "").split())


@pytest.mark.parametrize("name", sorted(VALUE_TYPES))
def test_an_accepted_value_has_a_stable_normal_form_with_the_shape(name: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(candidate_values(name))
    def check_value(value: str) -> None:
        try:
            normal = normalise_value(name, value)
        except InputError:
            return
        assert normalise_value(name, normal) == normal
        assert matches_shape(name, normal)
        assert is_normalised_value(name, normal)
        assert len(normal.encode()) <= VALUE_TYPES[name].max_bytes

    check_value()


@pytest.mark.parametrize("name", sorted(VALUE_TYPES))
def test_surrounding_white_space_is_removed(name: str) -> None:
    assert normalise_value(name, f"\t {VALUE_TYPES[name].example}\r\n") == VALUE_TYPES[name].example


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("sha256", "file-sha256"),
        ("ipv4", "ipv4-addr"),
        ("email", "email-addr"),
        ("URL", "url"),
        ("phone", "phone-number"),
    ],
)
def test_the_error_for_an_unknown_type_suggests_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"did you mean '{nearest}'") as caught:
        normalise_value(name, "198.51.100.7")
    assert caught.value.field == "type"
    assert not is_normalised_value(name, "198.51.100.7")
    assert not matches_shape(name, "198.51.100.7")


def test_a_value_given_as_the_type_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        normalise_value("Erika Mustermann|1964-08-12" * 1000, "person")
    assert "Mustermann" not in str(caught.value)


def test_the_shape_does_not_match_values_that_are_not_normalised() -> None:
    assert not matches_shape("domain-name", "Malware.Example.ORG")
    assert not matches_shape("domain-name", "malware.example.org\n")
    assert not matches_shape("domain-name", "a.example.org" * 30)
    assert not matches_shape("url", "hxxp://malware[.]example.org/")
    assert not matches_shape("file-sha256", "0" * 63)
    assert not matches_shape("process", "a\x00b")


def test_enumerable_types_are_marked() -> None:
    """A keyed hash does not hide an enumerable value from a holder of the key, who can try all values."""
    enumerable = {name for name, value_type in VALUE_TYPES.items() if value_type.enumerable}
    assert enumerable == {
        "ipv4-addr", "autonomous-system", "mac-addr", "phone-number", "prtn", "imei", "imsi", "iban",
        "bank-account-nr", "cc-number", "cc-bin", "person", "passport-number", "identity-card-number",
        "company-number", "vehicle-registration",
    }  # fmt: skip


@settings(deadline=None)
@given(st.binary(min_size=4, max_size=16).filter(lambda raw: len(raw) in {4, 16}))
def test_addresses_agree_with_the_standard_library(raw: bytes) -> None:
    import ipaddress

    address = ipaddress.ip_address(raw)
    name = f"ipv{address.version}-addr"
    assert ipaddress.ip_address(normalise_value(name, str(address))) == address
    assert ipaddress.ip_address(normalise_value(name, address.exploded)) == address


@settings(deadline=None)
@given(
    st.integers(2, 80),
    st.characters(categories=["Lu", "Ll", "Lo", "Mn"]),
    st.sampled_from(["person", "jabber-id"]),
)
def test_case_and_unicode_composition_of_any_letter(length: int, letter: str, name: str) -> None:
    value = {"person": f"A{letter * length}|1964-08-12", "jabber-id": f"A{letter * length}@example.org"}[name]
    try:
        normal = normalise_value(name, value)
    except InputError:
        return
    assert normalise_value(name, normal) == normal
