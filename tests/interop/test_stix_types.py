"""The observables of STIX: the type of indicator that each property becomes, in a pattern and by itself."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.interop import UnpublishedCause
from sharing.interop.stix.type_mappings import (
    CONTEXT_TYPES,
    HASH_MAPPINGS,
    OBSERVABLE_TYPES,
    PROPERTY_MAPPINGS,
)
from sharing.model.values import VALUE_TYPES
from tests.interop.import_fixtures import list_published, list_unpublished
from tests.interop.stix_fixtures import ANY, import_bundle, make_id, make_indicator, make_object

UNSUPPORTED, MALFORMED, INVALID = (
    UnpublishedCause.UNSUPPORTED_TYPE, UnpublishedCause.MALFORMED, UnpublishedCause.INVALID,
)  # fmt: skip
MD5, SHA1, SHA256 = "0123456789abcdef" * 2, "01234567" * 5, "0123456789abcdef" * 4
SSDEEP, TLSH = VALUE_TYPES["file-ssdeep"].example, VALUE_TYPES["file-tlsh"].example
ONION = VALUE_TYPES["onion-address"].example
CPE = VALUE_TYPES["software"].example

RUN_KEY = "HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Run"

OBSERVABLES: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "ipv4": ({"type": "ipv4-addr", "value": "198.51.100.0/24"}, [("value", "ipv4-addr", "198.51.100.0/24")]),
    "ipv6": ({"type": "ipv6-addr", "value": "2001:DB8::7"}, [("value", "ipv6-addr", "2001:db8::7")]),
    "mac": ({"type": "mac-addr", "value": "00-00-5E-00-53-01"}, [("value", "mac-addr", "00:00:5e:00:53:01")]),
    "domain": ({"type": "domain-name", "value": "A[.]example.org"}, [("value", "domain-name", "a.example.org")]),
    "onion": ({"type": "domain-name", "value": ONION}, [("value", "onion-address", ONION)]),
    "url": ({"type": "url", "value": "hxxp://a.example/b"}, [("value", "url", "http://a.example/b")]),
    "as": ({"type": "autonomous-system", "number": 64496}, [("number", "autonomous-system", "AS64496")]),
    "mail": ({"type": "email-addr", "value": "A@Example.org"}, [("value", "email-addr", "A@example.org")]),
    "message": ({"type": "email-message", "message_id": "a@b"}, [("message_id", "email-message-id", "<a@b>")]),
    "mutex": ({"type": "mutex", "name": "Global\\x"}, [("name", "mutex", "Global\\x")]),
    "key": (
        {"type": "windows-registry-key", "key": "hklm\\Software\\Example"},
        [("key", "windows-registry-key", "HKEY_LOCAL_MACHINE\\Software\\Example")],
    ),
    "software": ({"type": "software", "cpe": CPE}, [("cpe", "software", CPE)]),
    "process": ({"type": "process", "command_line": "a.exe -x"}, [("command_line", "process", "a.exe -x")]),
    "account": (
        {"type": "user-account", "account_type": "Twitter", "user_id": "7", "account_login": "@Someone"},
        [("user_id", "user-account", "twitter:7"), ("account_login", "user-account", "twitter:Someone")],
    ),
    "file": (
        {"type": "file", "hashes": {"MD5": MD5, "SHA-1": SHA1, "SHA-256": SHA256, "SSDEEP": SSDEEP, "TLSH": TLSH}},
        [
            ("hashes/MD5", "file-md5", MD5), ("hashes/SHA-1", "file-sha1", SHA1),
            ("hashes/SHA-256", "file-sha256", SHA256), ("hashes/SSDEEP", "file-ssdeep", SSDEEP),
            ("hashes/TLSH", "file-tlsh", TLSH),
        ],
    ),
    "old file": ({"type": "file", "hashes": {"md5": MD5, "SHA256": SHA256}}, [
        ("hashes/md5", "file-md5", MD5), ("hashes/SHA256", "file-sha256", SHA256),
    ]),
    "artifact": ({"type": "artifact", "hashes": {"SHA-256": SHA256}}, [("hashes/SHA-256", "file-sha256", SHA256)]),
    "certificate": (
        {"type": "x509-certificate", "hashes": {"SHA-1": SHA1, "SHA-256": SHA256}},
        [("hashes/SHA-1", "x509-certificate", SHA1), ("hashes/SHA-256", "x509-certificate", SHA256)],
    ),
    "request": (
        {
            "type": "network-traffic",
            "extensions": {"http-request-ext": {"request_header": {"Accept": "x", "user-agent": ["Bot/1", "Bot/2"]}}},
        },
        [
            (f"extensions/http-request-ext/request_header/user-agent/{number}", "user-agent", f"Bot/{number + 1}")
            for number in (0, 1)
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OBSERVABLES)
def test_each_value_of_an_observable_becomes_its_indicator(name: str) -> None:
    fields, expected = OBSERVABLES[name]
    result = import_bundle({**make_object(fields["type"]), **fields}, profile=ANY)
    assert [(located.position, located.indicator.type, located.indicator.value) for located in result.indicators] == [
        (f"/objects/0/{place}", type_name, value) for place, type_name, value in expected
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {
                "type": "file", "name": "a.exe", "size": 7, "hashes": {"SHA-512": "x", "MD5": 7, "\x1b": "x"},
                "extensions": {"windows-pebinary-ext": {"imphash": MD5}}, "parent_directory_ref": "x", "x_score": 7,
                "labels": [], "defanged": True, "mime_type": None,
            },
            [
                ("/name", UNSUPPORTED), ("/size", UNSUPPORTED), ("/hashes/SHA-512", UNSUPPORTED),
                ("/hashes/MD5", INVALID), ("/hashes#2", UNSUPPORTED), ("/extensions/windows-pebinary-ext", UNSUPPORTED),
            ],
        ),
        ({"type": "ipv4-addr"}, [("", MALFORMED)]),
        ({"type": "network-traffic", "dst_ref": make_id("ipv4-addr")}, [("", UnpublishedCause.CONTEXT)]),
        ({"type": "ipv4-addr", "created_by_ref": make_id("identity"), "x_ref": "0"}, [("", MALFORMED)]),
        ({"type": "ipv4-addr", "value": ["198.51.100.7"]}, [("/value", MALFORMED)]),
        ({"type": "ipv4-addr", "value": True}, [("/value", MALFORMED)]),
        ({"type": "ipv4-addr", "value": 7}, [("/value", INVALID)]),
        ({"type": "autonomous-system", "number": -1}, [("/number", INVALID)]),
        ({"type": "file", "hashes": ["x"]}, [("/hashes", UNSUPPORTED)]),
        ({"type": "artifact", "payload_bin": "QUJD", "url": "http://a.example/"}, [
            ("/payload_bin", UnpublishedCause.ATTACHMENT), ("/url", UnpublishedCause.REFERENCE),
        ]),
        ({"type": "email-message", "body": "text", "subject": "x", "from_ref": "0"}, [
            ("/body", UnpublishedCause.FREE_TEXT), ("/subject", UNSUPPORTED),
        ]),
        ({"type": "network-traffic", "dst_port": 443, "dst_ref": "0", "extensions": {"http-request-ext": 7}}, [
            ("/dst_port", UNSUPPORTED), ("/extensions/http-request-ext", UNSUPPORTED),
        ]),
        ({"type": "file", "extensions": {"http-request-ext": {"request_header": {"User-Agent": "x"}}}}, [
            ("/extensions/http-request-ext", UNSUPPORTED),
        ]),
        ({"type": "user-account", "account_type": "unix", "account_login": "root"}, [
            ("/account_type", UNSUPPORTED), ("/account_login", UNSUPPORTED),
        ]),
        ({"type": "directory", "path": "C:\\x"}, [("/path", UNSUPPORTED)]),
        ({"type": "software", "name": "Example", "vendor": "x"}, [("/name", UNSUPPORTED), ("/vendor", UNSUPPORTED)]),
        ({"type": "windows-registry-key", "key": RUN_KEY, "values": []}, [
            ("/key", UnpublishedCause.NOT_FOR_DETECTION), ("/values", UNSUPPORTED),
        ]),
    ],
)  # fmt: skip
def test_what_no_type_of_indicator_covers_is_listed(fields: dict[str, Any], expected: list[Any]) -> None:
    result = import_bundle({**make_object(fields["type"]), **fields}, profile=ANY)
    assert list_published(result) == []
    assert list_unpublished(result) == [(f"/objects/0{place}", cause) for place, cause in expected]


PATHS = {
    "network-traffic:dst_ref.value = '2001:db8::7'": ("ipv6-addr", "2001:db8::7"),
    "network-traffic:src_ref.value = 'a.example.org'": ("domain-name", "a.example.org"),
    "network-traffic:dst_ref.value = '00:00:5e:00:53:01'": ("mac-addr", "00:00:5e:00:53:01"),
    "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Bot/1'": ("user-agent", "Bot/1"),
    "email-message:from_ref.value = 'a@example.org'": ("email-addr", "a@example.org"),
    "email-message:to_refs[*].value = 'a@example.org'": ("email-addr", "a@example.org"),
    "email-message:cc_refs[0].value = 'a@example.org'": ("email-addr", "a@example.org"),
    f"email-message:body_multipart[*].body_raw_ref.hashes.'SHA-256' = '{SHA256}'": ("file-sha256", SHA256),
    f"process:image_ref.hashes.MD5 = '{MD5}'": ("file-md5", MD5),
    f"file:hashes.\"SHA-256\" = '{SHA256}'".replace('"', "'"): ("file-sha256", SHA256),
    "process:opened_connection_refs[*].dst_ref.value = '198.51.100.7'": ("ipv4-addr", "198.51.100.7"),
    "ipv4-addr:belongs_to_refs[*].number = 64496": ("autonomous-system", "AS64496"),
    "autonomous-system:number = 64496": ("autonomous-system", "AS64496"),
    f"x509-certificate:hashes.'SHA-1' = '{SHA1}'": ("x509-certificate", SHA1),
    f"software:cpe = '{CPE}'": ("software", CPE),
}


@pytest.mark.parametrize("comparison", PATHS)
def test_paths_in_patterns_are_followed_through_references(comparison: str) -> None:
    assert list_published(import_bundle(make_indicator(f"[{comparison}]"))) == [PATHS[comparison]]


@pytest.mark.parametrize(
    "comparison",
    [
        "process:parent_ref.command_line = 'x'",
        "file:contains_refs[*].hashes.MD5 = 'x'",
        "network-traffic:dst_ref.x_ref.value = '198.51.100.7'",
        "file:parent_directory_ref.path = 'x'",
        "ipv4-addr:value.more = '198.51.100.7'",
        "file:hashes.MD5.more = 'x'",
        "domain-name:hashes.MD5 = 'x'",
        "file:value = '198.51.100.7'",
        "windows-registry-key:values[*].data = 'x'",
        "network-traffic:dst_ref.type = 'ipv4-addr'",
        "email-message:from_ref.display_name = 'x'",
    ],
)
def test_other_paths_are_listed(comparison: str) -> None:
    result = import_bundle(make_indicator(f"[{comparison}]"), profile=ANY)
    assert list_unpublished(result) == [("/objects/0/pattern", UNSUPPORTED)]


def test_the_tables_name_types_that_exist() -> None:
    assert len(OBSERVABLE_TYPES) == 18
    assert not OBSERVABLE_TYPES & CONTEXT_TYPES
    for table in (PROPERTY_MAPPINGS, HASH_MAPPINGS):
        for (holder, _), mapping in table.items():
            assert holder in OBSERVABLE_TYPES
            assert set(mapping.indicator_types) <= VALUE_TYPES.keys()
    assert {type_name for type_name in VALUE_TYPES if type_name in OBSERVABLE_TYPES} <= {
        name
        for table in (PROPERTY_MAPPINGS, HASH_MAPPINGS)
        for mapping in table.values()
        for name in mapping.indicator_types
    } | {"artifact", "network-traffic"}  # a file is not published; a connection is listed by its address and port
