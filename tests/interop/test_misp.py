"""MISP events: everything in them is published or listed, and nothing is claimed that MISP does not say."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from sharing.interop import Cause
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import Pap, Tlp
from tests.interop.import_fixtures import ATTRIBUTE_ID, EVENT_ID, attribute, event, listed, published, read, read_event

A = "/response/0/Event/Attribute"
O = "/response/0/Event/Object"  # noqa: E741  beside A
IP = attribute("ip-dst", "198.51.100.7", uuid=ATTRIBUTE_ID)
ONLY = "to_ids: only"


def only(reading: Any) -> Any:
    """Return the one indicator of a reading."""
    ((_, _, indicator),) = reading.indicators
    return indicator


@pytest.mark.parametrize("mark", [True, "1", 1, "true"])
def test_what_is_marked_for_detection_is_published(mark: Any) -> None:
    assert published(read_event({**IP, "to_ids": mark}, profile=ONLY)) == [("ipv4-addr", "198.51.100.7")]


@pytest.mark.parametrize("mark", [False, "0", 0, None, "", "false", [], "yes"])
def test_context_is_listed_with_the_way_to_change_it(mark: Any) -> None:
    reading = read_event({**IP, "to_ids": mark}, profile=ONLY)
    assert listed(reading) == [(f"{A}/0", Cause.NOT_FOR_DETECTION)]
    assert "to_ids: any" in reading.not_published[0].reason
    assert len(read_event({**IP, "to_ids": mark}).indicators) == 1


def test_the_count_is_the_same_whatever_the_profile_takes() -> None:
    attributes = [attribute("domain|ip", "a.example.org|198.51.100.7", to_ids=False), attribute("text", "x"), IP]
    assert read_event(*attributes, profile=ONLY).read == read_event(*attributes).read == 4


def test_a_file_published_twice_gives_the_same_items() -> None:
    attributes = [
        attribute("ip-dst", "198.51.100.7", uuid=ATTRIBUTE_ID.upper()),
        attribute("domain|ip", "a.example.org|198.51.100.8", uuid=ATTRIBUTE_ID),
        attribute("ip-dst", "198.51.100.9", uuid="not a uuid"),
        attribute("ip-dst", "198.51.100.10", uuid="00000000-0000-0000-0000-000000000000"),
        attribute("ip-dst", "198.51.100.11"),
    ]
    first, second = ([placed.indicator.id for placed in read_event(*attributes).indicators] for _ in range(2))
    assert first == second
    assert len(set(first)) == 6
    assert first[0] == ATTRIBUTE_ID
    assert first[1:3] == [str(uuid.uuid5(uuid.UUID(ATTRIBUTE_ID), part)) for part in ("domain", "ip")]
    assert {placed.indicator.version for placed in read_event(*attributes).indicators} == {1}


def test_an_uuid_that_stands_twice_is_listed() -> None:
    reading = read_event(IP, attribute("ip-dst", "198.51.100.8", uuid=ATTRIBUTE_ID))
    assert listed(reading) == [(f"{A}/1", Cause.DUPLICATE)]
    assert f"id and version of {A}/0" in reading.not_published[0].reason


def test_only_what_misp_says_of_the_attribute_is_taken_over() -> None:
    indicator = only(
        read_event(
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


def test_an_edit_is_no_observation_and_an_empty_comment_no_summary() -> None:
    indicator = only(read_event({**IP, "timestamp": "1541533312", "first_seen": None, "comment": "  "}))
    assert indicator.observed_at is None
    assert indicator.summary is None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"first_seen": "1541533312"}, "first_seen: must be a time"),
        ({"first_seen": 1541533312}, "first_seen: must be a time"),
        ({"first_seen": "2026-13-01T12:00:00Z"}, "observed_at:"),
        ({"comment": 7}, "comment: must be text"),
        ({"comment": "x" * 9000}, "summary:"),
        ({"Tag": "tlp:red"}, "its tags cannot be read"),
        ({"Tag": ["tlp:red"]}, "its tags cannot be read"),
        ({"Tag": [{"name": 7}]}, "its tags cannot be read"),
        ({"Tag": [{"name": "tlp:purple"}]}, "a TLP tag is none of CLEAR"),
        ({"Tag": [{"name": "tlp:ex:chr"}]}, "a TLP tag is none of CLEAR"),
        ({"Tag": [{"name": "PAP:AMBER+STRICT"}]}, "a PAP tag is none of CLEAR"),
    ],
)
def test_what_cannot_be_taken_over_faithfully_is_listed(more: dict[str, Any], says: str) -> None:
    reading = read_event({**IP, **more}, attribute("ip-dst", "198.51.100.8"))
    assert published(reading) == [("ipv4-addr", "198.51.100.8")]
    assert listed(reading) == [(f"{A}/0", Cause.INVALID)]
    assert says in reading.not_published[0].reason


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
    ],
)
def test_the_strictest_marking_counts(
    on_event: list[str], on_attribute: list[str], profile: str, tlp: Tlp | None, pap: Pap | None
) -> None:
    tagged = {**IP, "Tag": [{"name": name} for name in on_attribute]}
    indicator = only(read_event(tagged, Tag=[{"name": name} for name in on_event], profile=profile or ONLY))
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
def test_the_admiralty_code_is_taken_where_it_is_whole_and_single(
    on_event: list[str], on_attribute: list[str], code: str | None
) -> None:
    tagged = {**IP, "Tag": [{"name": name} for name in on_attribute]}
    indicator = only(read_event(tagged, Tag=[{"name": name} for name in on_event]))
    assert indicator.grading.admiralty == code


def test_what_is_no_indicator_whatever_its_type_is_listed_in_its_place() -> None:
    inner = event(IP, IP, Object=[{"name": "o", "Attribute": [IP]}])
    reading = read_event(
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
    assert [placed.place for placed in reading.indicators] == [f"{A}/0"]
    related = "/response/0/Event/RelatedEvent/0/Event"
    assert listed(reading) == [
        (f"{A}/0/ShadowAttribute/0", Cause.PROPOSAL),
        (f"{A}/1", Cause.DELETED),
        (f"{A}/1/ShadowAttribute/0", Cause.PROPOSAL),
        (f"{A}/2", Cause.DELETED),
        *((f"{A}/{index}", Cause.MALFORMED) for index in range(3, 8)),
        (f"{O}/0/Attribute/0", Cause.DELETED),
        (f"{O}/1", Cause.MALFORMED),
        (f"{O}/2/Attribute", Cause.MALFORMED),
        ("/response/0/Event/ShadowAttribute/0", Cause.PROPOSAL),
        ("/response/0/Event/EventReport/0", Cause.REPORT),
        (f"{related}/Attribute/0", Cause.OTHER_EVENT),
        (f"{related}/Attribute/1", Cause.OTHER_EVENT),
        (f"{related}/Object/0/Attribute/0", Cause.OTHER_EVENT),
    ]


def test_files_that_hang_on_an_attribute_are_listed() -> None:
    md5 = "0123456789abcdef" * 2
    reading = read_event(
        attribute("attachment", "report.pdf", data="QUJD"),
        attribute("malware-sample", f"a.exe|{md5}", data="QUJD"),
        attribute("malware-sample", f"b.exe|{md5[::-1]}"),
    )
    assert published(reading) == [("file-md5", md5), ("file-md5", md5[::-1])]
    assert listed(reading) == [
        (f"{A}/0", Cause.ATTACHMENT),
        (f"{A}/1#filename", Cause.UNSUPPORTED_TYPE),
        (f"{A}/1#data", Cause.ATTACHMENT),
        (f"{A}/2#filename", Cause.UNSUPPORTED_TYPE),
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
    reading = read_event(attribute(misp_type, value))
    assert listed(reading) == [(f"{A}/0", Cause.INVALID)]
    reason = reading.not_published[0].reason
    assert "expected" in reason
    assert not value or value not in reason


def test_an_invalid_host_is_told_of_both_forms() -> None:
    (entry,) = read_event(attribute("domain", "no such host")).not_published
    assert entry.reason.startswith("is not a valid domain-name or onion-address; expected a host name")


def test_duplicates_are_listed_with_the_first_place_unless_their_facts_differ() -> None:
    reading = read_event(
        IP,
        attribute("ip-src", "198.51.100[.]7", comment="the same"),
        attribute("domain|ip", "a.example.org|198.51.100.7"),
        attribute("ip-dst", "198.51.100.7", Tag=[{"name": "tlp:red"}]),
    )
    assert listed(reading) == [(f"{A}/1", Cause.DUPLICATE), (f"{A}/2#ip", Cause.DUPLICATE)]
    assert reading.not_published[0].reason == f"has the type, value and facts of {A}/0"
    assert [placed.indicator.tlp for placed in reading.indicators] == [None, None, Tlp.RED]


def test_every_event_of_a_file_is_read_and_what_stands_between_is_listed() -> None:
    document = {
        "response": [
            {"Event": event(IP)},
            {"errors": 1},
            7,
            {"Event": event(attribute("ip-dst", "198.51.100.8"))},
            [event(attribute("ip-dst", "198.51.100.9"))],
        ]
    }
    reading = read(json.dumps(document))
    assert [placed.place for placed in reading.indicators] == [
        f"{A}/0",
        "/response/3/Event/Attribute/0",
        "/response/4/0/Attribute/0",
    ]
    assert listed(reading) == [("/response/1", Cause.MALFORMED), ("/response/2", Cause.MALFORMED)]


def test_an_event_without_attributes_is_read_and_holds_nothing() -> None:
    assert read_event().read == 0


def test_progress_covers_all_events() -> None:
    seen: list[float] = []
    attributes = [attribute("ip-dst", f"198.51.100.{last}") for last in range(250)]
    document = [{"Event": event(*attributes)}, {"Event": event()}, {"Event": event(IP)}]
    read(json.dumps(document), on_progress=lambda _, done: seen.append(done))
    assert seen == sorted(seen)
    assert len(seen) >= 4
    assert seen[-1] == 1.0
