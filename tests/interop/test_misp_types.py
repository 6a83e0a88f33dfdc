"""The table of MISP types: what each becomes, and that the table is complete."""

from __future__ import annotations

import pytest

from sharing.interop import ImportResult, UnpublishedCause
from sharing.interop.misp.type_mappings import COMPOSITE_TYPES, TEXT_MAPPINGS, TYPE_MAPPINGS, UNMAPPED_TYPES
from sharing.model.values import VALUE_TYPES
from tests.interop.import_fixtures import import_event, list_published, list_unpublished, make_attribute

HEX = "0123456789abcdef"
MD5, SHA1, SHA256 = HEX * 2, HEX * 2 + HEX[:8], HEX * 4
ONION = VALUE_TYPES["onion-address"].example
DASH = "XdSrfZRP3gGEbtUpK8o9RV9S7LiGfDmTju"
BTC = VALUE_TYPES["btc-address"].example
SSH = VALUE_TYPES["ssh-fingerprint"].example
JARM = VALUE_TYPES["jarm-fingerprint"].example
XMR = VALUE_TYPES["xmr-address"].example

# MISP's list of types (describeTypes of 2026).
ALL_TYPES = """
md5;sha1;sha256;filename;pdb;filename|md5;filename|sha1;filename|sha256;ip-src;ip-dst;hostname;domain;domain|ip;email;
email-src;eppn;email-dst;email-subject;email-attachment;email-body;float;git-commit-id;url;http-method;user-agent;
ja3-fingerprint-md5;jarm-fingerprint;favicon-mmh3;hassh-md5;hasshserver-md5;regkey;regkey|value;AS;snort;suricata;bro;
zeek;community-id;dom-hash;pattern-in-file;pattern-in-traffic;pattern-in-memory;filename-pattern;pgp-public-key;
pgp-private-key;ssh-fingerprint;yara;stix2-pattern;sigma;gene;kusto-query;mime-type;identity-card-number;cookie;
vulnerability;cpe;weakness;attachment;malware-sample;link;comment;text;hex;other;named pipe;mutex;process-state;
target-user;target-email;target-machine;target-org;target-location;target-external;btc;dash;xmr;iban;bic;
bank-account-nr;aba-rtn;bin;cc-number;prtn;phone-number;threat-actor;campaign-name;campaign-id;malware-type;uri;
authentihash;vhash;ssdeep;imphash;telfhash;pehash;impfuzzy;sha224;sha384;sha512;sha512/224;sha512/256;sha3-224;sha3-256;
sha3-384;sha3-512;tlsh;cdhash;filename|authentihash;filename|vhash;filename|ssdeep;filename|imphash;filename|impfuzzy;
filename|pehash;filename|sha224;filename|sha384;filename|sha512;filename|sha512/224;filename|sha512/256;
filename|sha3-224;filename|sha3-256;filename|sha3-384;filename|sha3-512;filename|tlsh;windows-scheduled-task;
windows-service-name;windows-service-displayname;whois-registrant-email;whois-registrant-phone;whois-registrant-name;
whois-registrant-org;whois-registrar;whois-creation-date;x509-fingerprint-sha1;x509-fingerprint-md5;
x509-fingerprint-sha256;dns-soa-email;size-in-bytes;counter;integer;datetime;port;ip-dst|port;ip-src|port;hostname|port;
mac-address;mac-eui-64;email-dst-display-name;email-src-display-name;email-header;email-reply-to;email-x-mailer;
email-mime-boundary;email-thread-index;email-message-id;github-username;github-repository;github-organisation;jabber-id;
twitter-id;dkim;dkim-signature;first-name;middle-name;last-name;full-name;date-of-birth;place-of-birth;gender;
passport-number;passport-country;passport-expiration;redress-number;nationality;visa-number;issue-date-of-the-visa;
primary-residence;country-of-residence;special-service-request;frequent-flyer-number;travel-details;payment-details;
place-port-of-original-embarkation;place-port-of-clearance;place-port-of-onward-foreign-destination;
passenger-name-record-locator-number;mobile-application-id;azure-application-id;chrome-extension-id;edge-extension-id;
cortex;boolean;uuid;anonymised;onion-address
"""

# MISP type: a value, and the type and value of the indicator that it becomes.
CASES: dict[str, tuple[str, str, str]] = {
    "ip-src": ("2001:DB8::7", "ipv6-addr", "2001:db8::7"),
    "ip-dst": ("198.51.100[.]7", "ipv4-addr", "198.51.100.7"),
    "domain": ("Malware[.]Example.ORG", "domain-name", "malware.example.org"),
    "hostname": (ONION, "onion-address", ONION),
    "onion-address": (ONION, "onion-address", ONION),
    "url": ("hxxps://malware[.]example.org/a", "url", "https://malware.example.org/a"),
    "AS": ("64496", "autonomous-system", "AS64496"),
    "mac-address": ("00-00-5E-00-53-01", "mac-addr", "00:00:5e:00:53:01"),
    "user-agent": ("ExampleBot/1.0", "user-agent", "ExampleBot/1.0"),
    "x509-fingerprint-sha1": (SHA1, "x509-certificate", SHA1),
    "x509-fingerprint-sha256": (SHA256.upper(), "x509-certificate", SHA256),
    "ssh-fingerprint": (SSH, "ssh-fingerprint", SSH),
    "ja3-fingerprint-md5": (MD5, "ja3-fingerprint-md5", MD5),
    "jarm-fingerprint": (JARM, "jarm-fingerprint", JARM),
    "pgp-public-key": (SHA1, "pgp-public-key", SHA1.upper()),
    "md5": (MD5.upper(), "file-md5", MD5),
    "sha1": (SHA1, "file-sha1", SHA1),
    "sha256": (SHA256, "file-sha256", SHA256),
    "ssdeep": (VALUE_TYPES["file-ssdeep"].example, "file-ssdeep", VALUE_TYPES["file-ssdeep"].example),
    "tlsh": (VALUE_TYPES["file-tlsh"].example, "file-tlsh", VALUE_TYPES["file-tlsh"].example),
    "mutex": ("Global\\Example", "mutex", "Global\\Example"),
    "regkey": ("HKCU\\Software\\Example", "windows-registry-key", "HKEY_CURRENT_USER\\Software\\Example"),
    "cpe": ("cpe:2.3:a:example:product:1.0:*:*:*:*:*:*:*", "software", "cpe:2.3:a:example:product:1.0:*:*:*:*:*:*:*"),
    "yara": ("rule a { condition: true }", "yara", "rule a { condition: true }"),
    "vulnerability": ("cve-2014-0160", "vulnerability", "CVE-2014-0160"),
    "email": ("a[at]example[.]org", "email-addr", "a@example.org"),
    "email-src": ("a@Example.org", "email-addr", "a@example.org"),
    "email-dst": ("a@example.org", "email-addr", "a@example.org"),
    "email-reply-to": ("a@example.org", "email-addr", "a@example.org"),
    "whois-registrant-email": ("a@example.org", "email-addr", "a@example.org"),
    "dns-soa-email": ("a@example.org", "email-addr", "a@example.org"),
    "email-message-id": ("1@example.org", "email-message-id", "<1@example.org>"),
    "jabber-id": ("a@example.org", "jabber-id", "a@example.org"),
    "github-username": ("Example", "user-account", "github:Example"),
    "twitter-id": ("@example", "user-account", "twitter:example"),
    "phone-number": ("+1 202 555 0123", "phone-number", "+12025550123"),
    "whois-registrant-phone": ("+1.2025550123", "phone-number", "+12025550123"),
    "iban": ("GB82 WEST 1234 5698 7654 32", "iban", "GB82WEST12345698765432"),
    "bic": ("examgb2lxxx", "bic", "EXAMGB2L"),
    "bank-account-nr": ("us:1234567890", "bank-account-nr", "US:1234567890"),
    "cc-number": ("4111 1111 1111 1111", "cc-number", "4111111111111111"),
    "bin": ("411111", "cc-bin", "411111"),
    "prtn": ("+1 202 555 0123", "prtn", "+12025550123"),
    "btc": (BTC.upper(), "btc-address", BTC),
    "xmr": (XMR, "xmr-address", XMR),
    "dash": (DASH, "coin-address", f"DASH:{DASH}"),
    "full-name": ("Erika Mustermann|1964-08-12", "person", "Erika Mustermann|1964-08-12"),
    "passport-number": ("CH:X1234567", "passport-number", "CH:X1234567"),
    "identity-card-number": ("DE:T220001293", "identity-card-number", "DE:T220001293"),
}


def test_every_type_that_misp_defines_is_in_the_table_once() -> None:
    names = [name.strip() for name in ALL_TYPES.replace("\n", "").split(";")]
    assert len(names) == 194
    tables = (TYPE_MAPPINGS, UNMAPPED_TYPES, COMPOSITE_TYPES)
    assert {name: sum(name in table for table in tables) for name in names} == dict.fromkeys(names, 1)


def test_every_mapping_has_an_indicator_type_and_every_part_of_a_composite_is_known() -> None:
    for mapping in (*TYPE_MAPPINGS.values(), *TEXT_MAPPINGS.values()):
        assert set(mapping.indicator_types) <= set(VALUE_TYPES)
    for parts in COMPOSITE_TYPES.values():
        assert all((part in TYPE_MAPPINGS) + (part in UNMAPPED_TYPES) == 1 for part in parts)
    assert set(CASES) == set(TYPE_MAPPINGS)


@pytest.mark.parametrize("misp_type", CASES)
def test_each_type_becomes_its_indicator(misp_type: str) -> None:
    misp_value, type_name, value = CASES[misp_type]
    assert list_published(import_event(make_attribute(misp_type, misp_value))) == [(type_name, value)]


@pytest.mark.parametrize("misp_type", UNMAPPED_TYPES)
def test_a_type_without_an_indicator_is_listed_with_a_reason(misp_type: str) -> None:
    result = import_event(make_attribute(misp_type, "198.51.100.7"))
    assert list_published(result) == []
    (entry,) = result.unpublished
    expected = {
        "email-body": UnpublishedCause.FREE_TEXT,
        "link": UnpublishedCause.REFERENCE,
        "attachment": UnpublishedCause.ATTACHMENT,
    }
    assert entry.cause is expected.get(misp_type, UnpublishedCause.UNSUPPORTED_TYPE)
    assert entry.reason


@pytest.mark.parametrize("misp_type", ["text", "other", "comment"])
@pytest.mark.parametrize(
    ("value", "category", "cause", "reason"),
    [
        ("In the second half of 2016, researchers identified", "Other", UnpublishedCause.FREE_TEXT, "is free text"),
        ("Win32/Agent.ZWH", "Antivirus detection", UnpublishedCause.UNSUPPORTED_TYPE, "a scanner detects a file"),
        (
            "X-Password, X-Chrome-Variations",
            "Network activity",
            UnpublishedCause.UNSUPPORTED_TYPE,
            "what kind of value",
        ),
        ("0x19539a179ddf8a02b772557d5036bdd0ac0b0fa7", None, UnpublishedCause.UNSUPPORTED_TYPE, "what kind of value"),
        ("magnet:?xt=urn:btih:x&dn=a b c d e f", "Other", UnpublishedCause.UNSUPPORTED_TYPE, "what kind of value"),
    ],
)
def test_a_value_that_is_no_prose_is_not_called_free_text(
    misp_type: str, value: str, category: str | None, cause: UnpublishedCause, reason: str
) -> None:
    (entry,) = import_event(make_attribute(misp_type, value, category=category)).unpublished
    assert entry.cause is cause
    assert reason in entry.reason


def test_a_field_of_an_object_is_not_called_free_text() -> None:
    members = [("text", "detection-ratio", "17/60"), ("text", "comment", "Seen by us on the victim's server")]
    result = import_object("virustotal-report", *members)
    assert [entry.cause for entry in result.unpublished] == [
        UnpublishedCause.UNSUPPORTED_TYPE, UnpublishedCause.FREE_TEXT
    ]  # fmt: skip
    assert "this field of the MISP object" in result.unpublished[0].reason


@pytest.mark.parametrize(
    "key",
    [
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion",
        r"HKLM\Software\Microsoft\Windows NT\CurrentVersion",
        r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run",
        r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnce\\"[:-1],
        r"HKU\S-1-5-21-1111-2222-3333-1001\Software\Microsoft\Windows\CurrentVersion\Run",
        r"HKU\.DEFAULT\Software",
        r"HKU\S-1-5-18",
        r"HKLM\SYSTEM\ControlSet001\Services",
        r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa",
        r"HKCR\CLSID",
        r"HKLM\SOFTWARE",
    ],
)
def test_a_registry_key_of_every_system_is_no_indicator(key: str) -> None:
    for attribute in (make_attribute("regkey", key), make_attribute("regkey|value", f"{key}|C:\\evil.exe")):
        result = import_event(attribute)
        assert list_published(result) == []
        entry = result.unpublished[0]
        assert entry.cause is UnpublishedCause.NOT_FOR_DETECTION
        assert "exists on every Windows system" in entry.reason


@pytest.mark.parametrize(
    "key",
    [
        r"HKEY_CURRENT_USER\Software\EpicNet Inc.\CloudNet",
        r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\services\wlanmgr",
        r"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\wlanmgr",
        r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Run\updater",
        r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\sethc.exe",
        r"HKEY_CLASSES_ROOT\CLSID\{E3517E26-8E93-458D-A6DF-8030BC80528B}",
        r"HKEY_USERS\S-1-5-21-1-2-3-4\Software\EpicNet Inc.",
        r"HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001Evil",
    ],
)
def test_a_specific_registry_key_is_an_indicator(key: str) -> None:
    assert list_published(import_event(make_attribute("regkey", key))) == [("windows-registry-key", key)]


@pytest.mark.parametrize(
    ("misp_type", "hint"),
    [
        ("ip_dst", "did you mean 'ip-dst'"),
        ("Domain", "did you mean 'domain'"),
        ("x" * 5000, "MISP does not define its type"),
    ],
)
def test_a_type_that_misp_does_not_define_is_listed_with_a_suggestion(misp_type: str, hint: str) -> None:
    (entry,) = import_event(make_attribute(misp_type, "198.51.100.7")).unpublished
    assert entry.cause is UnpublishedCause.UNSUPPORTED_TYPE
    assert hint in entry.reason


@pytest.mark.parametrize(
    ("misp_type", "value", "published", "unpublished"),
    [
        ("domain|ip", "a.example.org|2001:db8::7", {"#domain": "domain-name", "#ip": "ipv6-addr"}, {}),
        ("ip-dst|port", "198.51.100.7|443", {"#ip-dst": "ipv4-addr"}, {"#port": UnpublishedCause.UNSUPPORTED_TYPE}),
        ("ip-src|port", "198.51.100.7|443", {"#ip-src": "ipv4-addr"}, {"#port": UnpublishedCause.UNSUPPORTED_TYPE}),
        (
            "hostname|port",
            "a.example.org|443",
            {"#hostname": "domain-name"},
            {"#port": UnpublishedCause.UNSUPPORTED_TYPE},
        ),
        (
            "regkey|value",
            "HKLM\\Software\\A|1",
            {"#regkey": "windows-registry-key"},
            {"#value": UnpublishedCause.UNSUPPORTED_TYPE},
        ),
        ("filename|md5", f"a.exe|{MD5}", {"#md5": "file-md5"}, {"#filename": UnpublishedCause.UNSUPPORTED_TYPE}),
        ("filename|sha1", f"a|b.exe|{SHA1}", {"#sha1": "file-sha1"}, {"#filename": UnpublishedCause.UNSUPPORTED_TYPE}),
        (
            "filename|sha256",
            f"a.exe|{SHA256}",
            {"#sha256": "file-sha256"},
            {"#filename": UnpublishedCause.UNSUPPORTED_TYPE},
        ),
        (
            "filename|sha512",
            f"a.exe|{SHA256 * 2}",
            {},
            {"#filename": UnpublishedCause.UNSUPPORTED_TYPE, "#sha512": UnpublishedCause.UNSUPPORTED_TYPE},
        ),
        ("domain|ip", "a.example.org|300.1.1.1", {"#domain": "domain-name"}, {"#ip": UnpublishedCause.INVALID}),
        ("domain|ip", "a.example.org", {}, {"": UnpublishedCause.MALFORMED}),
        ("domain|ip", "a.example.org|198.51.100.7|198.51.100.8", {}, {"": UnpublishedCause.MALFORMED}),
        ("filename|sha1", SHA1, {}, {"": UnpublishedCause.MALFORMED}),
    ],
)
def test_each_value_of_a_composite_is_imported_separately(
    misp_type: str, value: str, published: dict[str, str], unpublished: dict[str, UnpublishedCause]
) -> None:
    result = import_event(make_attribute(misp_type, value))
    pointer = "/response/0/Event/Attribute/0"
    assert {entry.position: entry.indicator.type for entry in result.indicators} == {
        f"{pointer}{suffix}": type_name for suffix, type_name in published.items()
    }
    assert dict(list_unpublished(result)) == {f"{pointer}{suffix}": cause for suffix, cause in unpublished.items()}


def import_object(name: str, *members: tuple[str, str, str]) -> ImportResult:
    """Import a MISP object with attributes (type, relation, value)."""
    attributes = [make_attribute(kind, value, object_relation=relation) for kind, relation, value in members]
    return import_event(Object=[{"name": name, "Attribute": attributes}])


@pytest.mark.parametrize(
    ("name", "members", "expected"),
    [
        ("phone", [("text", "imei", "490154203237518")], ("imei", "490154203237518")),
        ("phone", [("text", "imsi", "001010123456789")], ("imsi", "001010123456789")),
        ("phone", [("text", "iccid", "8999900000000000006")], ("iccid", "8999900000000000006")),
        ("phone", [("text", "msisdn", "+12025550123")], ("phone-number", "+12025550123")),
        ("imsi-catcher", [("text", "imsi", "001010123456789")], ("imsi", "001010123456789")),
        (
            "coin-address",
            [("text", "address-crypto", DASH), ("text", "symbol", "dash")],
            ("coin-address", f"DASH:{DASH}"),
        ),
        ("btc-transaction", [("text", "transaction-number", SHA256)], ("transaction-hash", f"BTC:{SHA256}")),
        (
            "cryptocurrency-transaction",
            [("text", "symbol", "LTC"), ("text", "transaction-number", SHA256)],
            ("transaction-hash", f"LTC:{SHA256}"),
        ),
        ("telegram-account", [("text", "username", "@example")], ("user-account", "telegram:example")),
        (
            "person",
            [("full-name", "full-name", "Erika Mustermann"), ("date-of-birth", "date-of-birth", "1964-08-12")],
            ("person", "Erika Mustermann|1964-08-12"),
        ),
        (
            "passport",
            [("passport-country", "passport-country", "CH"), ("passport-number", "passport-number", "X1234567")],
            ("passport-number", "CH:X1234567"),
        ),
    ],
)
def test_attributes_of_an_object_are_combined_into_an_indicator(
    name: str, members: list[tuple[str, str, str]], expected: tuple[str, str]
) -> None:
    result = import_object(name, *members)
    assert list_published(result) == [expected]
    assert result.total == len(members)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("passport", [("passport-number", "passport-number", "X1234567")]),
        ("passport", [("passport-number", "n", "X1234567"), ("passport-country", "c", "Switzerland")]),
        (
            "passport",
            [("passport-number", "n", "X1234567"), ("passport-country", "c", "CH"), ("passport-country", "c", "DE")],
        ),
        ("person", [("full-name", "full-name", "Erika Mustermann")]),
        ("coin-address", [("text", "address-crypto", DASH)]),
        ("other-object", [("text", "imei", "490154203237518")]),
        ("phone", [("hex", "imei", "490154203237518")]),
    ],
)
def test_an_ambiguous_or_incomplete_object_is_not_published(name: str, members: list[tuple[str, str, str]]) -> None:
    result = import_object(name, *members)
    assert list_published(result) == []
    assert result.total == len(members)


def test_an_object_relation_outside_an_object_is_ignored() -> None:
    result = import_event(make_attribute("text", "490154203237518", object_relation="imei"))
    assert list_unpublished(result) == [("/response/0/Event/Attribute/0", UnpublishedCause.UNSUPPORTED_TYPE)]
