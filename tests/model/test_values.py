"""Values of indicators: what each type accepts, what it makes of it, and what it refuses."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.values import VALUE_TYPES, ValueTypeGroup, is_canonical, matches_shape, normalise
from tests.model.value_cases import CASES

TYPES_OF_LAW = {  # law.md §5, group by group
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
FREE_TEXT = {"user-agent", "mutex", "software", "process"}  # any line of text is one
# The only examples of other types that a type accepts: one text can be a valid value of both.
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
    "file-tlsh phone-number bic cc-number prtn photodna-hash pdq-hash",  # base64 has no mark of its own
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


def edit(value: str, edits: list[tuple[int, str, str]]) -> str:
    """Insert, delete or replace some characters."""
    for place, action, character in edits:
        at = place % (len(value) + 1)
        value = value[:at] + ("" if action == "d" else character) + value[at + (action != "i") :]
    return value


def candidates(name: str) -> st.SearchStrategy[str]:
    """Return a strategy of values that are, or nearly are, of a type."""
    known = [*CASES[name].valid, *CASES[name].valid.values(), *CASES[name].invalid, VALUE_TYPES[name].example]
    short = [value for value in known if len(value) < 1000]
    edited = st.builds(edit, st.sampled_from(short), EDITS)
    shaped = st.from_regex(VALUE_TYPES[name].shape, fullmatch=True)
    cased = edited.map(str.swapcase)
    return edited | cased | shaped | BACKGROUND


def test_the_list_of_types_is_that_of_the_law() -> None:
    assert {name: value_type.group for name, value_type in VALUE_TYPES.items()} == {
        name: group for group, names in TYPES_OF_LAW.items() for name in names.split()
    }
    assert set(CASES) == set(VALUE_TYPES)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [(name, value, expected) for name, cases in CASES.items() for value, expected in cases.valid.items()],
)
def test_normal_form(name: str, value: str, expected: str) -> None:
    assert normalise(name, value) == expected
    assert normalise(name, expected) == expected
    assert is_canonical(name, expected)
    assert is_canonical(name, value) is (value == expected)
    assert matches_shape(name, expected)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, cases in CASES.items() for value in cases.invalid])
def test_refusal_tells_the_form_and_never_the_value(name: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        normalise(name, value)
    message = str(caught.value)
    assert caught.value.field == "value"
    assert VALUE_TYPES[name].form in message
    said_anyway = message.replace(VALUE_TYPES[name].form, "").replace(VALUE_TYPES[name].example, "").replace(name, "")
    assert len(value) < 5 or value not in said_anyway
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None  # a library's error, which may quote the value, is not chained
    assert not is_canonical(name, value)


@pytest.mark.parametrize("name", VALUE_TYPES)
def test_each_type_has_enough_cases(name: str) -> None:
    assert len(CASES[name].valid) >= 3
    assert len(CASES[name].invalid) >= 4
    assert is_canonical(name, VALUE_TYPES[name].example)


@pytest.mark.parametrize("name", sorted(VALUE_TYPES))
@pytest.mark.parametrize("value", ["", " \t\n", "a\x00b", "\x1b[31m", "\ud800", "\u202ecod.exe", "x" * 300_000])
def test_no_type_accepts_nothing_control_characters_or_excess(name: str, value: str) -> None:
    with pytest.raises(InputError):
        normalise(name, value)


@pytest.mark.parametrize("name", sorted(set(VALUE_TYPES) - FREE_TEXT))
def test_other_types_are_refused(name: str) -> None:
    accepted = set()
    for other in set(VALUE_TYPES) - {name}:
        try:
            normalise(name, VALUE_TYPES[other].example)
            accepted.add(other)
        except InputError:
            pass
    assert accepted == set(OVERLAPS.get(name, "").split())


@pytest.mark.parametrize("name", sorted(VALUE_TYPES))
def test_whatever_is_accepted_is_stable_and_has_the_shape(name: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(candidates(name))
    def holds(value: str) -> None:
        try:
            normal = normalise(name, value)
        except InputError:
            return
        assert normalise(name, normal) == normal
        assert matches_shape(name, normal)
        assert is_canonical(name, normal)
        assert len(normal.encode()) <= VALUE_TYPES[name].max_bytes

    holds()


@pytest.mark.parametrize("name", sorted(VALUE_TYPES))
def test_surrounding_white_space_is_no_part_of_a_value(name: str) -> None:
    assert normalise(name, f"\t {VALUE_TYPES[name].example}\r\n") == VALUE_TYPES[name].example


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
def test_an_unknown_type_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"did you mean '{nearest}'") as caught:
        normalise(name, "198.51.100.7")
    assert caught.value.field == "type"
    assert not is_canonical(name, "198.51.100.7")
    assert not matches_shape(name, "198.51.100.7")


def test_a_value_in_the_place_of_the_type_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        normalise("Erika Mustermann|1964-08-12" * 1000, "person")
    assert "Mustermann" not in str(caught.value)


def test_the_shape_sees_what_is_not_normalised() -> None:
    assert not matches_shape("domain-name", "Malware.Example.ORG")
    assert not matches_shape("domain-name", "malware.example.org\n")
    assert not matches_shape("domain-name", "a.example.org" * 30)
    assert not matches_shape("url", "hxxp://malware[.]example.org/")
    assert not matches_shape("file-sha256", "0" * 63)
    assert not matches_shape("process", "a\x00b")


def test_enumerable_types_are_marked() -> None:
    """The marks of law.md §5: a keyed hash of such a value hides nothing from whoever has the key."""
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
    assert ipaddress.ip_address(normalise(name, str(address))) == address
    assert ipaddress.ip_address(normalise(name, address.exploded)) == address


@settings(deadline=None)
@given(
    st.integers(2, 80),
    st.characters(categories=["Lu", "Ll", "Lo", "Mn"]),
    st.sampled_from(["person", "jabber-id"]),
)
def test_case_and_composition_of_any_letter(length: int, letter: str, name: str) -> None:
    value = {"person": f"A{letter * length}|1964-08-12", "jabber-id": f"A{letter * length}@example.org"}[name]
    try:
        normal = normalise(name, value)
    except InputError:
        return
    assert normalise(name, normal) == normal
