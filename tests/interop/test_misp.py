"""MISP events: everything in them is published or listed, and nothing is added that MISP does not state."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.interop import ConflictingItemError, ImportResult, UnpublishedCause
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import Pap, Tlp
from tests.interop.import_fixtures import (
    ATTRIBUTE_ID,
    EVENT_ID,
    import_data,
    import_event,
    list_published,
    list_unpublished,
    make_attribute,
    make_event,
)

A = "/response/0/Event/Attribute"
O = "/response/0/Event/Object"  # noqa: E741  named like A
IP = make_attribute("ip-dst", "198.51.100.7", uuid=ATTRIBUTE_ID)
ONLY = "to_ids: only"


def get_only_indicator(result: ImportResult) -> Any:
    """Return the only indicator of a result."""
    (located,) = result.indicators
    return located.indicator


@pytest.mark.parametrize("mark", [True, "1", 1, "true"])
def test_an_attribute_marked_for_detection_is_published(mark: Any) -> None:
    assert list_published(import_event({**IP, "to_ids": mark}, profile=ONLY)) == [("ipv4-addr", "198.51.100.7")]


@pytest.mark.parametrize("mark", [False, "0", 0, None, "", "false", [], "yes"])
def test_a_context_attribute_is_listed_with_how_to_publish_it(mark: Any) -> None:
    result = import_event({**IP, "to_ids": mark}, profile=ONLY)
    assert list_unpublished(result) == [(f"{A}/0", UnpublishedCause.NOT_FOR_DETECTION)]
    assert "to_ids: any" in result.unpublished[0].reason
    assert len(import_event({**IP, "to_ids": mark}).indicators) == 1


def test_the_total_does_not_depend_on_to_ids_of_the_profile() -> None:
    attributes = [
        make_attribute("domain|ip", "a.example.org|198.51.100.7", to_ids=False),
        make_attribute("text", "x"),
        IP,
    ]
    assert import_event(*attributes, profile=ONLY).total == import_event(*attributes).total == 4


def test_a_file_published_twice_gives_the_same_items() -> None:
    attributes = [
        make_attribute("ip-dst", "198.51.100.7", uuid=ATTRIBUTE_ID.upper()),
        make_attribute("domain|ip", "a.example.org|198.51.100.8", uuid=ATTRIBUTE_ID),
        make_attribute("ip-dst", "198.51.100.9", uuid="not a uuid"),
        make_attribute("ip-dst", "198.51.100.10", uuid="00000000-0000-0000-0000-000000000000"),
        make_attribute("ip-dst", "198.51.100.11"),
    ]
    first, second = ([located.indicator.id for located in import_event(*attributes).indicators] for _ in range(2))
    assert first == second
    assert len(set(first)) == 6
    assert {uuid.UUID(identity).version for identity in first} == {8}
    assert ATTRIBUTE_ID not in first  # it is in the feed that everyone can read
    assert {located.indicator.version for located in import_event(*attributes).indicators} == {1}


def test_an_id_depends_on_the_uuid_alone_where_there_is_one() -> None:
    """So a changed attribute keeps its id, and a uuid in capitals is the same."""
    (first,) = import_event(IP).indicators
    (changed,) = import_event({**IP, "value": "198.51.100.8", "uuid": ATTRIBUTE_ID.upper()}).indicators
    (unnamed,) = import_event({**IP, "uuid": None}).indicators
    assert first.indicator.id == changed.indicator.id != unnamed.indicator.id


def test_a_repeated_uuid_with_another_value_refuses_the_file() -> None:
    with pytest.raises(
        ConflictingItemError, match=f"{A}/1 has the id and version of {A}/0, and another content; if one is a newer"
    ):
        import_event(IP, make_attribute("ip-dst", "198.51.100.8", uuid=ATTRIBUTE_ID))
    assert list_unpublished(import_event(IP, IP)) == [(f"{A}/1", UnpublishedCause.DUPLICATE)]


def test_only_facts_that_misp_states_about_the_attribute_are_used() -> None:
    indicator = get_only_indicator(
        import_event(
            {
                **IP,
                "comment": " C2 server ",
                "first_seen": "2026-03-01T12:00:00.123456+01:00",
                "timestamp": "1541533312",
            },
            date="2018-11-20",
            timestamp="1541533312",
            Orgc={"name": "Some organisation"},
            event_creator_email="someone@example.org",
        )
    )
    assert indicator.summary == "C2 server"
    assert to_milliseconds(indicator.observed_at) == 1772362800123
    assert indicator.source.case is None
    text = indicator.to_json()
    assert not any(word in text for word in ("A title", "Some organisation", "someone@example.org", "2018", EVENT_ID))


def test_the_edit_time_is_not_an_observation_and_an_empty_comment_is_not_a_summary() -> None:
    indicator = get_only_indicator(import_event({**IP, "timestamp": "1541533312", "first_seen": None, "comment": "  "}))
    assert indicator.observed_at is None
    assert indicator.summary is None


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"first_seen": "1541533312"}, "first_seen: must be an RFC 3339 time"),
        ({"first_seen": 1541533312}, "first_seen: must be an RFC 3339 time"),
        ({"first_seen": "2026-13-01T12:00:00Z"}, "observed_at:"),
        ({"comment": 7}, "comment: must be text"),
        ({"comment": "x" * 9000}, "summary:"),
        ({"Tag": "tlp:red"}, "its tags cannot be read"),
        ({"Tag": ["tlp:red"]}, "its tags cannot be read"),
        ({"Tag": [{"name": 7}]}, "its tags cannot be read"),
        ({"Tag": [{"name": "tlp:purple"}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": "tlp:ex:chr"}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": 'tlp="red"'}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": "[TLP-RED]"}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": "TLP RED"}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": "tlp"}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": "pap_red"}]}, "a PAP tag must be one of pap:clear"),
        ({"Tag": [{"name": "marking:tlp=red"}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": "foo:TLP:RED"}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": "foo_tlp"}]}, "a TLP tag must be one of tlp:clear"),
        ({"Tag": [{"name": 'marking:pap="purple"'}]}, "a PAP tag must be one of pap:clear"),
        ({"Tag": [{"name": "level pap-red"}]}, "a PAP tag must be one of pap:clear"),
        ({"tags": ["tlp:red"]}, "its tags cannot be read"),
        ({"tag": "tlp:red"}, "its tags cannot be read"),
        ({"attribute_tags": {"tlp": "red"}}, "its tags cannot be read"),
        ({"AttributeTag": "tlp:red"}, "its tags cannot be read"),
        ({"Event": {"Tag": "tlp:red"}}, "its tags cannot be read"),
        ({"Tag": [{"name": "PAP:AMBER+STRICT"}]}, "a PAP tag must be one of pap:clear"),
    ],
)
def test_an_attribute_with_an_unreadable_field_is_listed(more: dict[str, Any], expected: str) -> None:
    result = import_event({**IP, **more}, make_attribute("ip-dst", "198.51.100.8"))
    assert list_published(result) == [("ipv4-addr", "198.51.100.8")]
    assert list_unpublished(result) == [(f"{A}/0", UnpublishedCause.INVALID)]
    assert expected in result.unpublished[0].reason


@pytest.mark.parametrize(
    ("on_event", "on_attribute", "profile", "tlp", "pap"),
    [
        ([], [], "", None, None),
        (["tlp:white"], [], "", Tlp.CLEAR, None),
        (["TLP:CLEAR", "PAP:WHITE"], [], "", Tlp.CLEAR, Pap.CLEAR),
        (["tlp:green"], ["tlp:amber"], "", Tlp.AMBER, None),
        (["tlp:red"], ["tlp:white"], "", Tlp.RED, None),
        (["tlp:amber+strict", "tlp:amber"], ["pap:green", "PAP:AMBER"], "", Tlp.AMBER_STRICT, Pap.AMBER),
        (["tlp:amber"], [], "defaults: {tlp: CLEAR, pap: RED}", Tlp.AMBER, Pap.RED),
        (["tlp:white"], [], "defaults: {tlp: GREEN}", Tlp.GREEN, None),
        ([], [], "defaults: {tlp: GREEN}", Tlp.GREEN, None),
        (["tlp :red"], [], "", Tlp.RED, None),
        (["\u200btlp\uff1aRED"], ["paper", "papua"], "", Tlp.RED, None),
        (["target:pap", "the pap smear", "ctlp:red", "pappapers:red"], [], "", None, None),
    ],
)
def test_the_strictest_marking_is_used(
    on_event: list[str], on_attribute: list[str], profile: str, tlp: Tlp | None, pap: Pap | None
) -> None:
    tagged = {**IP, "Tag": [{"name": name} for name in on_attribute]}
    indicator = get_only_indicator(
        import_event(tagged, Tag=[{"name": name} for name in on_event], profile=profile or ONLY)
    )
    assert (indicator.tlp, indicator.pap) == (tlp, pap)


RELIABLE, CREDIBLE = "admiralty-scale:source-reliability", "admiralty-scale:information-credibility"


@pytest.mark.parametrize(
    ("on_event", "on_attribute", "code"),
    [
        ([f'{RELIABLE}="b"', f'{CREDIBLE}="2"'], [], "B2"),
        ([f'{RELIABLE}="b"', f'{CREDIBLE}="2"'], [f'{RELIABLE}="F"', f'{CREDIBLE}="6"'], "F6"),
        ([f'{RELIABLE}="b"'], [], None),
        ([f'{RELIABLE}="b"', f'{RELIABLE}="c"', f'{CREDIBLE}="2"'], [], None),
        ([f'{RELIABLE}="g"', f'{CREDIBLE}="2"'], [], None),
        ([f'{RELIABLE}="2"', f'{CREDIBLE}="b"'], [], None),
    ],
)
def test_the_admiralty_code_is_used_if_it_is_complete_and_unambiguous(
    on_event: list[str], on_attribute: list[str], code: str | None
) -> None:
    tagged = {**IP, "Tag": [{"name": name} for name in on_attribute]}
    indicator = get_only_indicator(import_event(tagged, Tag=[{"name": name} for name in on_event]))
    assert indicator.grading.admiralty == code


US_PERSON = 'dni-ism:notice="US-Person"'


@pytest.mark.parametrize(
    ("on_event", "on_attribute", "profile", "minor", "us_person"),
    [
        ([], [], ONLY, "UNKNOWN", "UNKNOWN"),
        ([], ["copine-scale:level-7"], ONLY, "YES", "UNKNOWN"),
        (["COPINE-scale:level-1"], [US_PERSON], ONLY, "YES", "YES"),
        ([US_PERSON], [], "defaults: {minor: NO, us_person: NO}", "NO", "YES"),
        (['dni-ism:notice="NATO"', "rsit:abusive-content"], ["copine"], ONLY, "UNKNOWN", "UNKNOWN"),
        ([], ["case:juvenile"], "by_tag: {'case:*': {minor: YES}}", "YES", "UNKNOWN"),
    ],
)
def test_a_tag_that_states_a_fact_answers_it_with_yes_whatever_the_profile_says(
    on_event: list[str], on_attribute: list[str], profile: str, minor: str, us_person: str
) -> None:
    tagged = {**IP, "Tag": [{"name": name} for name in on_attribute]}
    indicator = get_only_indicator(import_event(tagged, Tag=[{"name": name} for name in on_event], profile=profile))
    assert (indicator.minor, indicator.us_person) == (minor, us_person)


def test_what_no_tag_states_is_unknown_unless_a_profile_says_it() -> None:
    tags = [{"name": name} for name in ('veris:actor:external:variety="Organized crime"', "copine-scale:level-1")]
    indicator = get_only_indicator(import_event({**IP, "Tag": tags}, profile=ONLY))
    assert (indicator.exculpatory, indicator.offence.organised_group) == ("UNKNOWN", "UNKNOWN")
    profile = "defaults: {exculpatory: NO}\nby_tag: {'veris:actor:*': {offence: {organised_group: YES}}}"
    indicator = get_only_indicator(import_event({**IP, "Tag": tags}, profile=profile))
    assert (indicator.exculpatory, indicator.offence.organised_group) == ("NO", "YES")


def test_attributes_that_are_never_published_are_listed_with_their_position() -> None:
    inner = make_event(IP, IP, Object=[{"name": "o", "Attribute": [IP]}])
    result = import_event(
        {**IP, "ShadowAttribute": [IP], "deleted": False},
        {**IP, "deleted": True, "ShadowAttribute": [{"type": "text"}]},
        {**IP, "deleted": "1"},
        "198.51.100.7",
        {"type": "ip-dst"},
        {"value": "198.51.100.7"},
        {"type": "ip-dst", "value": 7},
        {"type": ["ip-dst"], "value": "198.51.100.7"},
        ShadowAttribute=[IP],
        EventReport=[{"name": "Report", "content": "text"}],
        RelatedEvent=[{"Event": inner}, {"Event": {"info": "x"}}],
        Object=[{"name": "o", "deleted": True, "Attribute": [IP]}, 7, {"name": "o", "Attribute": {"0": IP}}],
    )
    assert [located.position for located in result.indicators] == [f"{A}/0"]
    related = "/response/0/Event/RelatedEvent/0/Event"
    assert list_unpublished(result) == [
        (f"{A}/0/ShadowAttribute/0", UnpublishedCause.PROPOSAL),
        (f"{A}/1", UnpublishedCause.DELETED),
        (f"{A}/1/ShadowAttribute/0", UnpublishedCause.PROPOSAL),
        (f"{A}/2", UnpublishedCause.DELETED),
        *((f"{A}/{index}", UnpublishedCause.MALFORMED) for index in range(3, 8)),
        (f"{O}/0/Attribute/0", UnpublishedCause.DELETED),
        (f"{O}/1", UnpublishedCause.MALFORMED),
        (f"{O}/2/Attribute", UnpublishedCause.MALFORMED),
        ("/response/0/Event/ShadowAttribute/0", UnpublishedCause.PROPOSAL),
        ("/response/0/Event/EventReport/0", UnpublishedCause.REPORT),
        (f"{related}/Attribute/0", UnpublishedCause.OTHER_EVENT),
        (f"{related}/Attribute/1", UnpublishedCause.OTHER_EVENT),
        (f"{related}/Object/0/Attribute/0", UnpublishedCause.OTHER_EVENT),
    ]


def test_files_attached_to_an_attribute_are_listed() -> None:
    md5 = "0123456789abcdef" * 2
    result = import_event(
        make_attribute("attachment", "report.pdf", data="QUJD"),
        make_attribute("malware-sample", f"a.exe|{md5}", data="QUJD"),
        make_attribute("malware-sample", f"b.exe|{md5[::-1]}"),
    )
    assert list_published(result) == [("file-md5", md5), ("file-md5", md5[::-1])]
    assert list_unpublished(result) == [
        (f"{A}/0", UnpublishedCause.ATTACHMENT),
        (f"{A}/1#filename", UnpublishedCause.UNSUPPORTED_TYPE),
        (f"{A}/1#data", UnpublishedCause.ATTACHMENT),
        (f"{A}/2#filename", UnpublishedCause.UNSUPPORTED_TYPE),
    ]


@pytest.mark.parametrize(
    ("misp_type", "value"),
    [
        ("url", "www.example.org"),
        ("url", "www.example.org/a?b"),
        ("url", "example.org:80"),
        ("ip-dst", "198.51.100.7:443"),
        ("domain", "198.51.100.7"),
        ("btc", "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"),
        ("sha1", "fedcba9876543210"),
        ("regkey", "{59031A47-3F72-44A7-80C5-5595FE6B30EE}"),
        ("iban", "GB00WEST12345698765432"),
        ("phone-number", "044 000 00 00"),
        ("AS", ""),
    ],
)
def test_an_invalid_value_is_listed_and_never_guessed(misp_type: str, value: str) -> None:
    result = import_event(make_attribute(misp_type, value))
    assert list_unpublished(result) == [(f"{A}/0", UnpublishedCause.INVALID)]
    reason = result.unpublished[0].reason
    assert "expected" in reason
    assert not value or value not in reason


def test_the_reason_for_an_invalid_host_has_both_forms() -> None:
    (entry,) = import_event(make_attribute("domain", "no such host")).unpublished
    assert entry.reason.startswith("is not a valid domain-name or onion-address; expected a host name")


def test_duplicates_are_listed_with_the_first_position_unless_their_facts_differ() -> None:
    result = import_event(
        IP,
        make_attribute("ip-src", "198.51.100[.]7", comment="the same"),
        make_attribute("domain|ip", "a.example.org|198.51.100.7"),
        make_attribute("ip-dst", "198.51.100.7", Tag=[{"name": "tlp:red"}]),
    )
    assert list_unpublished(result) == [
        (f"{A}/1", UnpublishedCause.DUPLICATE),
        (f"{A}/2#ip", UnpublishedCause.DUPLICATE),
    ]
    assert result.unpublished[0].reason == f"has the type, value and facts of {A}/0"
    assert [located.indicator.tlp for located in result.indicators] == [None, None, Tlp.RED]


def test_every_event_of_a_file_is_imported_and_values_between_them_are_listed() -> None:
    document = {
        "response": [
            {"Event": make_event(IP)},
            {"errors": 1},
            7,
            {"Event": make_event(make_attribute("ip-dst", "198.51.100.8"))},
            [make_event(make_attribute("ip-dst", "198.51.100.9"))],
        ]
    }
    result = import_data(json.dumps(document))
    assert [located.position for located in result.indicators] == [
        f"{A}/0",
        "/response/3/Event/Attribute/0",
        "/response/4/0/Attribute/0",
    ]
    assert list_unpublished(result) == [
        ("/response/1", UnpublishedCause.MALFORMED),
        ("/response/2", UnpublishedCause.MALFORMED),
    ]


DESCRIBED: dict[str, Any] = {"info": "described alone"}


@pytest.mark.parametrize(
    "document",
    [
        {"Event": DESCRIBED},
        {"response": [{"Event": DESCRIBED}] * 2},
        {"Event": {"Attribute": [], "attribute_count": "25"}},
    ],
)
def test_events_that_were_exported_without_their_attributes_are_refused(document: Any) -> None:
    with pytest.raises(InputError, match="contains no MISP attribute; export the events with their attributes"):
        import_data(json.dumps(document))


def test_an_event_that_has_no_attributes_in_misp_is_nothing() -> None:
    """One such file must not keep those beside it from being published."""
    assert import_data(json.dumps({"Event": {"Attribute": [], "Object": [], "attribute_count": "0"}})).total == 0
    assert import_data(json.dumps([{"Event": DESCRIBED}, {"Event": make_event(IP)}])).total == 1


def test_progress_covers_all_events() -> None:
    reports: list[float] = []
    attributes = [make_attribute("ip-dst", f"198.51.100.{last}") for last in range(250)]
    document = [{"Event": make_event(*attributes)}, {"Event": make_event()}, {"Event": make_event(IP)}]
    import_data(json.dumps(document), on_progress=lambda _, done: reports.append(done))
    assert reports == sorted(reports)
    assert len(reports) >= 4
    assert reports[-1] == 1.0


RED = [{"name": "tlp:red"}]


@pytest.mark.parametrize(
    "event",
    [
        {"Attribute": [{**IP, "Event": {"id": "7", "Tag": RED}}]},
        {"Attribute": [{**IP, "AttributeTag": [{"id": "1", "Tag": RED[0]}]}]},
        {"EventTag": [{"id": "1", "Tag": RED[0]}], "Attribute": [IP]},
        {"Object": [{"name": "domain-ip", "Tag": RED, "Attribute": [{**IP, "object_relation": "ip"}]}]},
        {"Object": [{"name": "domain-ip", "ObjectTag": [{"Tag": RED[0]}], "Attribute": [IP]}]},
        {"Attribute": [{**IP, "tags": RED}]},
        {"TAG": RED, "Attribute": [IP]},
        {"event_tags": [{"Tag": RED[0]}], "Attribute": [IP]},
    ],
)
def test_a_marking_counts_wherever_misp_puts_tags(event: dict[str, Any]) -> None:
    assert get_only_indicator(import_data(json.dumps({"response": event}))).tlp is Tlp.RED


@pytest.mark.parametrize(
    ("beside", "place"), [({"Attribute": [IP]}, "Attribute"), ({"response": [{"Event": {}}]}, "response")]
)
def test_what_stands_beside_an_event_is_listed(beside: dict[str, Any], place: str) -> None:
    result = import_data(json.dumps({"Event": {"Attribute": [IP]}, **beside}))
    assert len(result.indicators) == 1
    assert list_unpublished(result) == [(f"/{place}", UnpublishedCause.MALFORMED)]
