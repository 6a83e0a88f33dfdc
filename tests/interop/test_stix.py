"""STIX bundles: what becomes an indicator, with which id and facts, and what is listed."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.interop import ConflictingItemError, FileFormat, UnpublishedCause, read_bytes
from sharing.model.times import to_milliseconds
from tests.interop.import_fixtures import generate_ids, import_data, list_published, list_unpublished, make_context
from tests.interop.stix_fixtures import (
    ANY,
    ONLY,
    PATTERN,
    STATEMENT_ID,
    get_only_indicator,
    import_bundle,
    make_bundle,
    make_id,
    make_indicator,
    make_marking,
    make_object,
)

P = "/objects/0/pattern"
IP = make_object("ipv4-addr", value="198.51.100.7")
EXPECTED = [("ipv4-addr", "198.51.100.7")]
CREATED_IN_ANOTHER_ZONE = "2026-03-01T13:00:00.000+01:00"
LATER = "2026-03-02T12:00:00Z"
DELETED, OUTDATED = UnpublishedCause.DELETED, UnpublishedCause.OUTDATED
INVALID, MALFORMED = UnpublishedCause.INVALID, UnpublishedCause.MALFORMED
CONTEXT, UNSUPPORTED = UnpublishedCause.CONTEXT, UnpublishedCause.UNSUPPORTED_TYPE


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (make_bundle(make_indicator()), "/objects/0/pattern"),
        ({**make_bundle(make_indicator()), "spec_version": "2.1"}, "/objects/0/pattern"),
        ({"objects": [make_indicator()]}, "/objects/0/pattern"),
        ({"more": False, "objects": [make_indicator()]}, "/objects/0/pattern"),
        ([make_indicator()], "/0/pattern"),
        ([make_bundle(make_indicator())], "/0/objects/0/pattern"),
        (make_bundle(make_bundle(make_indicator())), "/objects/0/objects/0/pattern"),
        (
            {
                "type": "bundle", "id": make_id("bundle"), "spec_version": "2.0",
                "objects": [{"type": "indicator", "id": make_id("indicator"), "pattern": PATTERN}],
            },
            "/objects/0/pattern",
        ),
    ],
)  # fmt: skip
def test_every_container_of_stix_is_recognised(document: Any, pointer: str, indent: int | None) -> None:
    text = json.dumps(document, indent=indent)
    for requested in (FileFormat.AUTO, FileFormat.STIX):
        result = import_data(text, ONLY, format=requested)
        assert list_published(result) == EXPECTED
        assert result.indicators[0].position == pointer
        assert result.unpublished == ()


def test_what_is_no_object_is_listed() -> None:
    others: list[Any] = [7, None, "x", [], {}, {"id": "x"}, {"type": 7}, {"type": "bundle"}]
    result = import_bundle(make_indicator(), *others)
    assert list_published(result) == EXPECTED
    expected = [(f"/objects/{index}", MALFORMED) for index in range(1, 8)]
    assert list_unpublished(result) == expected  # the bundle in it has no objects
    deep = import_bundle(make_indicator(), make_bundle(make_bundle(make_bundle(make_bundle(make_indicator())))))
    assert list_unpublished(deep) == [("/objects/1/objects/0/objects/0/objects/0", MALFORMED)]
    assert list_unpublished(import_bundle(make_indicator(), {"type": "bundle", "objects": 7})) == [
        ("/objects/1/objects", MALFORMED)
    ]


def test_other_objects_are_one_entry_each() -> None:
    objects = [
        make_object("malware", name="x", description="x"),
        make_object("relationship"),
        make_object("observed-data", object_refs=[]),
        make_object("x-custom", value="198.51.100.7"),
        make_object("indicator", spec_version="9.9", pattern=PATTERN),
        make_object("ipv4-addr", spec_version=[], value="198.51.100.7"),
    ]
    assert list_unpublished(import_bundle(*objects, profile=ANY)) == [
        ("/objects/0", CONTEXT),
        ("/objects/1", CONTEXT),
        ("/objects/2", CONTEXT),
        ("/objects/3", UNSUPPORTED),
        ("/objects/4", INVALID),
        ("/objects/5", INVALID),
    ]


def test_an_observable_is_context_unless_the_profile_takes_any() -> None:
    (entry,) = import_bundle(IP).unpublished
    assert (entry.position, entry.cause) == ("/objects/0/value", UnpublishedCause.NOT_FOR_DETECTION)
    assert "set `to_ids: any` in the profile" in entry.reason
    assert list_published(import_bundle(IP, profile=ANY)) == EXPECTED


@pytest.mark.parametrize(
    ("fields", "is_published"),
    [
        ({"indicator_types": ["malicious-activity"]}, True),
        ({"indicator_types": ["unknown"]}, True),
        ({"indicator_types": []}, True),
        ({"indicator_types": ["anonymization", "malicious-activity"]}, True),
        ({"indicator_types": ["anonymization"]}, False),
        ({"indicator_types": [" Benign"]}, False),
        ({"indicator_types": ["benign", "malicious-activity"]}, False),
        ({"labels": ["benign"]}, True),
        ({"labels": ["benign"], "spec_version": "2.0"}, False),
    ],
)
def test_an_indicator_of_something_harmless_is_not_meant_for_detection(fields: Any, is_published: bool) -> None:
    result = import_bundle(make_indicator(**fields))
    assert (list_published(result) == EXPECTED) is is_published
    assert [cause for _, cause in list_unpublished(result)] == ([] if is_published else ["NOT_FOR_DETECTION"])
    assert list_published(import_bundle(make_indicator(**fields), profile=ANY)) == EXPECTED


def test_only_facts_that_stix_states_are_used() -> None:
    indicator = get_only_indicator(
        import_bundle(
            make_indicator(
                description=" C2 server ", valid_until="2027-03-01T12:00:00.123456+01:00", name="A title",
                confidence=90, created_by_ref=make_id("identity"), valid_from="2099-01-01T00:00:00Z", lang="en",
            ),
            make_object("identity", name="Some organisation"),
            make_object("sighting", sighting_of_ref=make_id("indicator"), first_seen=LATER),
        )
    )  # fmt: skip
    assert indicator.summary == "C2 server"
    assert _to_milliseconds(indicator.review_at) == 1803898800123
    assert (indicator.observed_at, indicator.retain_until, indicator.grading.admiralty) == (None, None, None)
    text = indicator.to_json()
    assert not any(word in text for word in ("A title", "Some organisation", "2099", make_id("indicator")))


def _to_milliseconds(time: datetime | None) -> int:
    assert time is not None
    return to_milliseconds(time)


def test_the_time_of_observation_is_that_of_the_only_observed_data() -> None:
    seen = make_object("observed-data", 1, first_observed=LATER, object_refs=[IP["id"]])
    indicator = get_only_indicator(import_bundle(IP, seen, profile=ANY))
    assert _to_milliseconds(indicator.observed_at) == 1772452800000
    other = make_object("observed-data", 2, first_observed="2026-03-03T12:00:00Z", object_refs=[IP["id"]])
    assert get_only_indicator(import_bundle(IP, seen, other, profile=ANY)).observed_at is None
    report = make_object("report", first_observed="x", object_refs=[IP["id"]])
    assert get_only_indicator(import_bundle(IP, report, profile=ANY)).observed_at is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"description": 7}, "description: must be text"),
        ({"description": "x" * 9000}, "summary:"),
        ({"valid_until": "2026"}, "valid_until: must be an RFC 3339 time"),
        ({"valid_until": 1772452800}, "valid_until: must be an RFC 3339 time"),
        ({"valid_until": "2026-13-01T00:00:00Z"}, "review_at:"),
    ],
)
def test_an_indicator_with_a_malformed_field_is_listed(fields: Any, reason: str) -> None:
    result = import_bundle(make_indicator(**fields), make_indicator("[url:value = 'http://a.example/']", 2))
    assert list_published(result) == [("url", "http://a.example/")]
    assert list_unpublished(result) == [(P, INVALID)]
    assert reason in result.unpublished[0].reason


def test_a_malformed_time_of_observation_is_listed() -> None:
    seen = make_object("observed-data", first_observed="yesterday", object_refs=[IP["id"]])
    (entry, _) = import_bundle(IP, seen, profile=ANY).unpublished
    assert (entry.cause, entry.reason.split(":")[0]) == (INVALID, "first_observed")


def test_observables_in_old_observed_data_are_read() -> None:
    observed = {
        "type": "observed-data", "id": make_id("observed-data"), "first_observed": LATER,
        "objects": {
            "0": {"type": "ipv4-addr", "value": "198.51.100.7"},
            "1": {"type": "file", "name": "a.exe", "hashes": {"MD5": "0" * 32}},
            "a/b~": {"type": "domain-name", "value": "a.example.org"},
            "2": {"type": "x-custom"},
            "3": 7,
            "4": {"type": ["ipv4-addr"], "value": "198.51.100.8"},
            "\x1b[31m": {"value": 1},
        },
    }  # fmt: skip
    result = import_bundle(observed, profile=ANY)
    assert [located.position for located in result.indicators] == [
        "/objects/0/objects/0/value",
        "/objects/0/objects/1/hashes/MD5",
        "/objects/0/objects/a~1b~0/value",
    ]
    assert {_to_milliseconds(located.indicator.observed_at) for located in result.indicators} == {1772452800000}
    assert list_unpublished(result) == [
        ("/objects/0", CONTEXT),
        ("/objects/0/objects/1/name", UNSUPPORTED),
        ("/objects/0/objects/2", UNSUPPORTED),
        ("/objects/0/objects/3", MALFORMED),
        ("/objects/0/objects/4", MALFORMED),
        ("/objects/0/objects#6", MALFORMED),
    ]
    assert list_unpublished(import_bundle({**observed, "objects": [1]}, profile=ANY)) == [
        ("/objects/0", CONTEXT),
        ("/objects/0/objects", MALFORMED),
    ]
    assert import_bundle({**observed, "revoked": True}, profile=ANY).indicators == ()


def test_ids_are_derived_from_the_object_or_from_type_and_value() -> None:
    objects = [
        make_indicator("[ipv4-addr:value = '198.51.100.1']", 1),
        make_indicator("[ipv4-addr:value IN ('198.51.100.2', '198.51.100.3')]", 2),
        make_indicator("[ipv4-addr:value = '198.51.100.4']", id="indicator--1"),
        make_indicator("[ipv4-addr:value = '198.51.100.5']", id="indicator--00000000-0000-0000-0000-000000000000"),
        make_indicator("[ipv4-addr:value = '198.51.100.6']", id=make_id("malware")),
        make_indicator("[ipv4-addr:value = '198.51.100.7']", id=7),
        make_object("file", hashes={"MD5": "0" * 32, "SHA-1": "0" * 40}),
    ]
    seen: list[tuple[str, ...]] = []
    ids = generate_ids()
    result = import_bundle(*objects, profile=ANY)
    assert len({located.indicator.id for located in result.indicators}) == 9
    assert {uuid.UUID(located.indicator.id).version for located in result.indicators} == {8}
    again = import_bundle(*reversed(objects), profile=ANY)
    assert {located.indicator.id for located in again.indicators} == {
        located.indicator.id for located in result.indicators
    }

    def make_id_of(identity: Any) -> str:
        seen.append(tuple(identity))
        return next(ids)

    context = replace(make_context(ANY), make_id=make_id_of)
    read_bytes(json.dumps(make_bundle(*objects)).encode(), "f", context)
    assert seen == [
        ("stix", make_id("indicator", 1), ""),
        ("stix", make_id("indicator", 2), "ipv4-addr:198.51.100.2"),
        ("stix", make_id("indicator", 2), "ipv4-addr:198.51.100.3"),
        *(("value", "ipv4-addr", f"198.51.100.{last}") for last in (4, 5, 6, 7)),
        ("stix", make_id("file"), "/hashes/MD5"),
        ("stix", make_id("file"), "/hashes/SHA-1"),
    ]


def test_an_id_does_not_change_with_the_pattern_around_a_value() -> None:
    first = import_bundle(make_indicator("[ipv4-addr:value IN ('198.51.100.1', '198.51.100.2')]"))
    second = import_bundle(make_indicator("[ipv4-addr:value IN ('198.51.100.3', '198.51.100.1')]"))
    assert first.indicators[0].indicator.id == second.indicators[1].indicator.id
    one, other = import_bundle(make_indicator()), import_bundle(make_indicator("[url:value = 'http://a.example/']"))
    assert one.indicators[0].indicator.id == other.indicators[0].indicator.id


def test_the_newest_of_several_versions_counts() -> None:
    old = make_indicator("[ipv4-addr:value = '198.51.100.1']", modified="2026-03-01T14:00:00+01:00")
    new = make_indicator(modified="2026-03-01T13:30:00Z")
    result = import_bundle(old, new, {**old, "modified": "2025-01-01T00:00:00.1z"})
    assert list_published(result) == EXPECTED
    assert list_unpublished(result) == [("/objects/0", OUTDATED), ("/objects/2", OUTDATED)]
    assert {entry.reason for entry in result.unpublished} == {"/objects/1 is a newer version of it"}
    assert not any(entry.is_refused for entry in result.unpublished)  # nobody has to correct it


@pytest.mark.parametrize("revoked", [True, "true", 1, 0.5, "false"])
def test_a_revoked_object_is_listed_in_all_its_versions(revoked: Any) -> None:
    assert list_unpublished(import_bundle(make_indicator(revoked=revoked))) == [("/objects/0", DELETED)]
    assert list_unpublished(import_bundle({**IP, "revoked": revoked}, profile=ANY)) == [("/objects/0", DELETED)]
    result = import_bundle(make_indicator(), make_indicator(modified=LATER, revoked=revoked))
    assert list_unpublished(result) == [("/objects/0", OUTDATED), ("/objects/1", DELETED)]
    assert list_published(import_bundle(make_indicator(revoked=False))) == EXPECTED


def test_a_later_version_does_not_undo_a_revocation() -> None:
    result = import_bundle(make_indicator(revoked=True), make_indicator(modified=LATER))
    assert list_published(result) == []
    assert list_unpublished(result) == [("/objects/0", OUTDATED), ("/objects/1", DELETED)]


@pytest.mark.parametrize("modified", [None, "yesterday", 7, "2026-13-01T00:00:00Z"])
def test_versions_that_cannot_be_ordered_are_listed(modified: Any) -> None:
    result = import_bundle(make_indicator(modified=modified), make_indicator("[url:value = 'http://a.example/']"))
    assert list_unpublished(result) == [("/objects/0", INVALID), ("/objects/1", INVALID)]
    assert list_published(import_bundle(make_indicator(modified=modified))) == EXPECTED


def test_the_same_version_with_another_content_refuses_the_file() -> None:
    same = make_indicator(description="x", modified=CREATED_IN_ANOTHER_ZONE)
    with pytest.raises(ConflictingItemError, match="/objects/1 has the id and `modified` of /objects/0, and another"):
        import_bundle(make_indicator(), same)
    assert list_unpublished(import_bundle(make_indicator(), make_indicator())) == [
        ("/objects/1/pattern", UnpublishedCause.DUPLICATE)
    ]
    with pytest.raises(
        ConflictingItemError, match="has the id and version of /objects/0/value, and another content; if one is"
    ):
        import_bundle(IP, {**IP, "labels": ["tlp:red"]}, profile=ANY)


def test_a_value_is_published_once_unless_its_facts_differ() -> None:
    result = import_bundle(
        make_indicator(), make_indicator(number=2), IP, make_indicator(number=3, labels=["tlp:red"]), profile=ANY
    )
    assert [located.position for located in result.indicators] == [P, "/objects/3/pattern"]
    assert list_unpublished(result) == [
        ("/objects/1/pattern", UnpublishedCause.DUPLICATE),
        ("/objects/2/value", UnpublishedCause.DUPLICATE),
    ]


@pytest.mark.parametrize("count", [1, 2, 250])
def test_progress_covers_all_objects(count: int) -> None:
    reports: list[float] = []
    objects = [make_indicator(f"[ipv4-addr:value = '198.51.100.{last}']", last) for last in range(count)]
    import_data(json.dumps(make_bundle(*objects)), ONLY, on_progress=lambda _, done: reports.append(done))
    assert reports == sorted(reports)
    assert reports[-1] == 1.0


def test_what_can_just_be_parsed_is_read_or_refused() -> None:
    marked = make_indicator(object_marking_refs=[STATEMENT_ID])
    text = json.dumps(make_bundle(marked, make_marking(x_a="@"), make_marking(x_a="#")))
    refused = 0
    for depth in range(900, 1000):
        deep = text.replace('"@"', "[" * depth + "1" + "]" * depth).replace('"#"', "[" * depth + "2" + "]" * depth)
        try:
            assert list_published(import_data(deep)) == []
        except InputError as error:
            assert "is nested too deeply to be read" in str(error)  # noqa: PT017  may be raised; checked if so
            refused += 1
    assert refused


def test_a_deep_or_wrong_document_is_refused_with_a_message() -> None:
    deep = '{"type": "bundle", "id": "bundle--1", "objects": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(InputError, match="is nested too deeply"):
        import_data(deep)
    text = json.dumps(make_bundle(make_indicator())).replace('"pattern"', '"pattern": "", "pattern"')
    with pytest.raises(InputError, match="contains the key 'pattern' twice; correct it"):
        import_data(text)
