"""Values at the boundary between valid and invalid, and values compared with what other programs say about them."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlsplit

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.values import normalise_value

LABELS = ".".join(["a" * 50] * 4)
VALID = [
    ("url", "http://example.org:443/", "http://example.org:443/"),
    ("url", "https://example.org:80/", "https://example.org:80/"),
    ("url", "ws://example.org:443/", "ws://example.org:443/"),
    ("url", "ftp://example.org:990/", "ftp://example.org:990/"),
    ("url", "rtmp://example.org:1935/", "rtmp://example.org:1935/"),
    ("url", "http://example.org:65535/", "http://example.org:65535/"),
    ("url", "http://example.org:/x", "http://example.org/x"),
    ("url", "http://[2001:db8::7]/", "http://[2001:db8::7]/"),
    ("url", "http://[2001:db8::7]:80/", "http://[2001:db8::7]/"),
    ("url", "https://exa[.]mple.org/?a[.]b", "https://exa.mple.org/?a.b"),
    ("url", "http[:]//example.org/a[.]b", "http://example.org/a.b"),
    ("url", "hxxps://example.org/a[.]b", "https://example.org/a.b"),
    ("autonomous-system", "AS4294967294", "AS4294967294"),
    ("domain-name", f"{LABELS}.{'b' * 45}.org", f"{LABELS}.{'b' * 45}.org"),
    ("email-addr", f"{'x' * 64}@example.org", f"{'x' * 64}@example.org"),
    ("email-addr", f"{'é' * 32}@example.org", f"{'é' * 32}@example.org"),
    ("email-addr", "a[.]b@example.org", "a.b@example.org"),
    ("email-addr", "a(.)b@example.org", "a.b@example.org"),
    ("jabber-id", "Straße@example.org", "straße@example.org"),
    ("jabber-id", "a[at]example.org", "a@example.org"),
    ("user-account", "Telegram : @foo", "telegram:foo"),
    ("windows-registry-key", f"HKLM\\{'a' * 255}", f"HKEY_LOCAL_MACHINE\\{'a' * 255}"),
    ("software", "CPE:2.3:a:Example:Product:1.0:*:*:*:*:*:*:*", "cpe:2.3:a:example:product:1.0:*:*:*:*:*:*:*"),
    ("person", "Erika|1850-01-01", "Erika|1850-01-01"),
    ("person", "Erika|2100-12-31", "Erika|2100-12-31"),
    ("passport-number", "ch : X1234567", "CH:X1234567"),
    ("passport-number", "uk:x123456789", "GB:X123456789"),
    ("yara", "rule a\r\n{ condition: true }", "rule a\n{ condition: true }"),
    ("coin-address", f"TON:0:{'AB' * 32}", f"TON:0:{'ab' * 32}"),
]
INVALID = [
    ("phone-number", "+1 123 456 7890"),  # a possible length in no assigned range
    ("phone-number", "+41 100 000 000"),
    ("phone-number", "+41 44 668 18"),
    ("url", "http://example.org:00080/"),
    ("url", "http://example.org:+80/"),
    ("domain-name", f"{LABELS}.{'b' * 46}.org"),
    ("email-addr", f"{'x' * 65}@example.org"),
    ("email-addr", f"{'é' * 33}@example.org"),
    ("email-addr", "a[at]b@example.org"),
    ("email-message-id", "<a@b"),
    ("email-message-id", "a@b>"),
    ("jabber-id", "a\U0001f600@example.org"),
    ("user-account", "Télégram:foo"),
    ("windows-registry-key", f"HKLM\\{'a' * 256}"),
    ("file-ssdeep", "06:abc:def"),
    ("yara", "rule a { condition: true"),
    ("yara", 'rule a { strings: $a = "x" }'),
    ("yara", "condition: true }"),
    ("person", "Erika|1849-12-31"),
    ("person", "Erika|2101-01-01"),
    ("person", "A|B|1964-08-12"),
    ("person", "Eri<ka|1964-08-12"),
    ("passport-number", "CH X1234567"),
    ("company-number", "CH:CHE-1☃"),
]


@pytest.mark.parametrize(("name", "value", "expected"), VALID)
def test_a_value_just_inside_is_accepted(name: str, value: str, expected: str) -> None:
    assert normalise_value(name, value) == expected


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_a_value_just_outside_is_refused(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"is not a valid {name}"):
        normalise_value(name, value)


DEFAULT_PORTS = {
    "http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ftps": 990, "sftp": 22, "ssh": 22, "telnet": 23,
    "tftp": 69, "gopher": 70, "ldap": 389, "ldaps": 636, "rtsp": 554,
}  # fmt: skip


@pytest.mark.parametrize("scheme", [*DEFAULT_PORTS, "rtmp", "mysql"])
def test_only_the_default_port_of_the_own_scheme_is_left_out(scheme: str) -> None:
    for port in {*DEFAULT_PORTS.values(), 8080}:
        shown = "" if DEFAULT_PORTS.get(scheme) == port else f":{port}"
        assert normalise_value("url", f"{scheme}://example.org:{port}/a") == f"{scheme}://example.org{shown}/a"


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["http", "https", "ftp", "wss", "ldap"]),
    st.sampled_from(["", "user@", "user:pw@"]),
    st.sampled_from(["Example.ORG", "198.51.100.7", "[2001:DB8::7]"]),
    st.none() | st.integers(1, 65535) | st.sampled_from([*DEFAULT_PORTS.values()]),
    st.sampled_from(["", "/", "/a?b=c#d", "?q", "#f"]),
)
def test_a_normalised_url_names_the_same_place(scheme: str, user: str, host: str, port: int | None, tail: str) -> None:
    """Compared with the standard library: same scheme, user, host, effective port, path, query and fragment."""
    url = f"{scheme}://{user}{host}{'' if port is None else f':{port}'}{tail}"
    before, after = urlsplit(url), urlsplit(normalise_value("url", url))
    assert (after.port or DEFAULT_PORTS[scheme]) == (before.port or DEFAULT_PORTS[scheme])
    assert (after.scheme, after.username, after.password, after.hostname) == (
        before.scheme, before.username, before.password, before.hostname
    )  # fmt: skip
    assert (after.path, after.query, after.fragment) == (before.path, before.query, before.fragment)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["1", "41", "49", "44", "33", "81", "7", "998"]), st.integers(10_000_000, 99_999_999_999))
def test_a_telephone_number_is_accepted_exactly_if_its_numbering_plan_assigns_it(code: str, number: int) -> None:
    text = f"+{code}{number}"
    expected = phonenumbers.is_valid_number(phonenumbers.parse(text))
    try:
        normalise_value("phone-number", text)
        accepted = True
    except InputError:
        accepted = False
    assert accepted is expected


def make_ton(tag: int, workchain: int = 0) -> str:
    data = bytes([tag, workchain % 256, *range(32)])
    return base64.urlsafe_b64encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "big")).decode()


def make_stellar(version: int) -> str:
    data = bytes([version, *range(32)])
    return base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "little")).decode()


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        (f"TON:{make_ton(0x11)}", True),  # bounceable
        (f"TON:{make_ton(0x51)}", True),  # not bounceable
        (f"TON:{make_ton(0x11, -1)}", True),  # the masterchain
        (f"TON:{make_ton(0x11, 1)}", False),
        (f"TON:{make_ton(0x91)}", False),  # a test network
        (f"TON:{make_ton(0x12)}", False),
        (f"XLM:{make_stellar(6 << 3)}", True),
        (f"XLM:{make_stellar(18 << 3)}", False),  # a secret seed
        (f"XLM:{make_stellar(5 << 3)}", False),
    ],
)
def test_a_right_checksum_does_not_make_an_address_of_another_kind(address: str, valid: bool) -> None:
    try:
        normalise_value("coin-address", address)
        accepted = True
    except InputError:
        accepted = False
    assert accepted is valid
