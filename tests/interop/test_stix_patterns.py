"""Patterns: a constant is published if it alone says what the pattern says, and listed otherwise."""

from __future__ import annotations

import pytest

from sharing.interop import UnpublishedCause
from sharing.interop.stix.patterns import PATTERN_CHARACTERS_MAX, read_pattern
from tests.interop.import_fixtures import list_published, list_unpublished
from tests.interop.stix_fixtures import import_bundle, make_indicator

P = "/objects/0/pattern"
IP1, IP2 = "198.51.100.1", "198.51.100.2"
MD5, SHA1, SHA256 = "0123456789abcdef" * 2, "01234567" * 5, "0123456789abcdef" * 4
CONDITIONAL, UNSUPPORTED = UnpublishedCause.CONDITIONAL, UnpublishedCause.UNSUPPORTED_TYPE
INVALID, NOT_FOR_DETECTION = UnpublishedCause.INVALID, UnpublishedCause.NOT_FOR_DETECTION

KEPT = {
    f"[ipv4-addr:value = '{IP1}']": [IP1],
    f"[ipv4-addr:value == '{IP1}']": [IP1],
    f"([ipv4-addr:value = '{IP1}'])": [IP1],
    f"[(ipv4-addr:value = '{IP1}')]": [IP1],
    f"[ipv4-addr:value IN ('{IP1}', '{IP2}')]": [IP1, IP2],
    f"[ipv4-addr:value = '{IP1}' OR ipv4-addr:value = '{IP2}']": [IP1, IP2],
    f"[ipv4-addr:value = '{IP1}'] OR [ipv4-addr:value = '{IP2}']": [IP1, IP2],
    f"[ipv4-addr:value = '{IP1}'] /* one */ OR [domain-name:value = 'a.example.org'] // two": [IP1, "a.example.org"],
    f"[ipv4-addr:value = '{IP1}' OR (domain-name:value = 'a.example.org' OR url:value = 'http://b.example/')]": [
        IP1, "a.example.org", "http://b.example/",
    ],
    f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}']": [MD5, SHA1],
    f"[domain-name:value = 'a.example.org' AND domain-name:resolves_to_refs[*].value = '{IP1}']": [
        "a.example.org", IP1,
    ],
    "[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\Software\\\\It\\'s']": ["HKEY_LOCAL_MACHINE\\Software\\It's"],
}  # fmt: skip


@pytest.mark.parametrize("pattern", KEPT)
def test_constants_of_which_each_says_what_the_pattern_says_are_published(pattern: str) -> None:
    result = import_bundle(make_indicator(pattern))
    assert [value for _, value in list_published(result)] == KEPT[pattern]
    suffixes = [""] if len(KEPT[pattern]) == 1 else [f"#{number}" for number in range(1, len(KEPT[pattern]) + 1)]
    assert [located.position for located in result.indicators] == [f"{P}{suffix}" for suffix in suffixes]
    assert result.unpublished == ()


SAYS_LESS = {
    f"[ipv4-addr:value = '{IP1}' AND domain-name:value = 'a.example.org']": 2,
    f"[ipv4-addr:value = '{IP1}' AND ipv4-addr:value = '{IP2}']": 2,
    f"[ipv4-addr:value = '{IP1}'] AND [ipv4-addr:value = '{IP2}']": 2,
    f"[ipv4-addr:value = '{IP1}'] FOLLOWEDBY [ipv4-addr:value = '{IP2}']": 2,
    f"([ipv4-addr:value = '{IP1}'] OR [ipv4-addr:value = '{IP2}']) AND [file:name = 'a']": 3,
    f"[ipv4-addr:value = '{IP1}'] WITHIN 5 SECONDS": 1,
    f"[ipv4-addr:value = '{IP1}'] REPEATS 5 TIMES": 1,
    f"([ipv4-addr:value = '{IP1}'] OR [ipv4-addr:value = '{IP2}']) REPEATS 2 TIMES WITHIN 5 SECONDS": 2,
    f"[ipv4-addr:value = '{IP1}'] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'": 1,
    f"[ipv4-addr:value != '{IP1}']": 1,
    f"[ipv4-addr:value <> '{IP1}']": 1,
    f"[ipv4-addr:value NOT = '{IP1}']": 1,
    f"[ipv4-addr:value NOT != '{IP1}']": 1,
    f"[ipv4-addr:value NOT IN ('{IP1}', '{IP2}')]": 2,
    f"[ipv4-addr:value > '{IP1}']": 1,
    "[ipv4-addr:value LIKE '198.51.100.%']": 1,
    "[ipv4-addr:value MATCHES '198.*']": 1,
    "[ipv4-addr:value ISSUBSET '198.51.100.0/24']": 1,
    "[ipv4-addr:value ISSUPERSET '198.51.100.0/24']": 1,
    "[EXISTS ipv4-addr:value]": 1,
    "[ipv4-addr:value IN ()]": 1,
    f"[file:hashes.MD5 = '{MD5}' AND file:name LIKE 'a%']": 2,
    f"[file:hashes.MD5 = '{MD5}' AND file:name != 'a']": 2,
    f"[file:hashes.MD5 = '{MD5}' AND EXISTS file:name]": 2,
    "[email-message:from_ref.value = 'a@example.org' AND email-message:subject = 'x']": 2,
    "[process:command_line = 'x /c' AND process:image_ref.name = 'x']": 2,
    f"[network-traffic:src_ref.value = '{IP1}' AND network-traffic:dst_ref.value = '{IP2}']": 2,
}


@pytest.mark.parametrize("pattern", SAYS_LESS)
def test_constants_that_say_more_than_the_pattern_are_listed(pattern: str) -> None:
    result = import_bundle(make_indicator(pattern))
    assert list_published(result) == []
    assert [cause for _, cause in list_unpublished(result)] == [CONDITIONAL] * SAYS_LESS[pattern]


@pytest.mark.parametrize(
    ("pattern", "published", "unpublished"),
    [
        (f"[file:hashes.MD5 = '{MD5}' AND file:name = 'a.exe']", {"#1": MD5}, {"#2": UNSUPPORTED}),
        (
            (
                "[network-traffic:dst_ref.type = 'ipv4-addr' AND "
                f"network-traffic:dst_ref.value = '{IP1}' AND network-traffic:dst_port = 443]"
            ),
            {"#2": IP1},
            {"#1": UNSUPPORTED, "#3": UNSUPPORTED},
        ),
        (
            f"[ipv4-addr:value = '{IP1}' OR ipv4-addr:value LIKE '198.%' OR (file:name = 'a' AND url:value = 'b')]",
            {"#1": IP1},
            {"#2": CONDITIONAL, "#3": CONDITIONAL, "#4": CONDITIONAL},
        ),
        (
            f"[ipv4-addr:value = '{IP1}'] OR ([ipv4-addr:value = '{IP2}'] AND [file:name = 'a'])",
            {"#1": IP1},
            {"#2": CONDITIONAL, "#3": CONDITIONAL},
        ),
        (f"[ipv4-addr:value IN ('{IP1}', 'x', 7, true)]", {"#1": IP1}, {f"#{n}": INVALID for n in (2, 3, 4)}),
        (
            "[user-account:account_type = 'Telegram' AND user-account:account_login = '@someone']",
            {"#2": "telegram:someone"},
            {"#1": UNSUPPORTED},
        ),
        (
            "[user-account:account_type = 'unix' AND user-account:account_login = 'root']",
            {},
            {"#1": UNSUPPORTED, "#2": UNSUPPORTED},
        ),
        (
            "[(user-account:account_type = 'a' OR user-account:account_type = 'b') AND user-account:user_id = 'x']",
            {},
            {"#1": UNSUPPORTED, "#2": UNSUPPORTED, "#3": INVALID},
        ),
        ("[user-account:account_login = 'someone']", {}, {"": INVALID}),
        (
            "[windows-registry-key:key = 'HKLM\\\\Software\\\\Microsoft\\\\Windows\\\\CurrentVersion\\\\Run']",
            {},
            {"": NOT_FOR_DETECTION},
        ),
        ("[ipv4-addr:value = 'a.example.org']", {}, {"": INVALID}),
        ("[x-custom:value = 'a.example.org']", {}, {"": UNSUPPORTED}),
        ("[domain-name:value = h'00']", {}, {"": INVALID}),
    ],
)
def test_the_parts_of_a_mixed_pattern_are_published_or_listed(
    pattern: str, published: dict[str, str], unpublished: dict[str, UnpublishedCause]
) -> None:
    result = import_bundle(make_indicator(pattern))
    assert {entry.position: entry.indicator.value for entry in result.indicators} == {
        f"{P}{suffix}": value for suffix, value in published.items()
    }
    assert dict(list_unpublished(result)) == {f"{P}{suffix}": cause for suffix, cause in unpublished.items()}


BROKEN = [
    "", " ", "x", "[]", "[a:b]", "[a:b = ]", "[a:b = 'x'", "a:b = 'x'", "[a:b = 'x'] [c:d = 'y']", "[a:b = 'x'] §",
    "[file:name = 'C:\\x']", '[a:b = "x"]', "[a:b = 'x'] WITHIN SECONDS", "[NOT a:b = 'x']", "\u200b[a:b = 'x']",
    "[" * 5000, "(" * 5000 + "[a:b=1]" + ")" * 5000, "[" + "(" * 5000 + "a:b=1" + ")" * 5000 + "]",
    "[" + "(a:b=1 OR " * 2000 + "a:b=1" + ")" * 2000 + "]", f"[a:b = '{'x' * PATTERN_CHARACTERS_MAX}']",
]  # fmt: skip


@pytest.mark.parametrize("pattern", BROKEN, ids=lambda pattern: ascii(pattern[:20]))
def test_what_is_no_pattern_is_listed_with_a_plain_reason(pattern: str) -> None:
    (entry,) = import_bundle(make_indicator(pattern)).unpublished
    assert (entry.position, entry.cause) == (P, INVALID)
    assert entry.reason.startswith("pattern: is ")
    assert not {"input", "expecting", "1:"} & set(entry.reason.split())


def test_a_long_pattern_is_read_without_deep_recursion() -> None:
    for operator in (" OR ", " AND "):
        pattern = operator.join(f"domain-name:value = 'a{number}.example.org'" for number in range(600))
        assert len(read_pattern(f"[{pattern}]")) == 600
    observations = " OR ".join(f"[domain-name:value = 'a{number}.example.org']" for number in range(600))
    assert len(read_pattern(observations)) == 600
    assert len(read_pattern("[domain-name:" + "a_ref." * 1000 + "value = 'x']")) == 1


@pytest.mark.parametrize(
    ("pattern_type", "pattern", "cause"),
    [
        ("yara", "rule example { condition: false }", None),
        ("YARA", "no rule", INVALID),
        ("snort", "alert tcp any", UNSUPPORTED),
        ("sigma", "title: x", UNSUPPORTED),
        ("x-other", "x", UNSUPPORTED),
        (None, "[file:name = 'x']", UnpublishedCause.MALFORMED),
        (7, "[file:name = 'x']", UnpublishedCause.MALFORMED),
        ("stix", None, UnpublishedCause.MALFORMED),
        ("stix", ["x"], UnpublishedCause.MALFORMED),
    ],
)
def test_patterns_of_other_types_are_one_value(pattern_type: object, pattern: object, cause: object) -> None:
    result = import_bundle(make_indicator(pattern, pattern_type=pattern_type))
    assert result.total == 1
    assert [entry.cause for entry in result.unpublished] == ([] if cause is None else [cause])
    if cause is None:
        assert list_published(result) == [("yara", pattern)]
