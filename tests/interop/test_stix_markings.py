"""Markings in STIX: the strictest counts wherever it is, and one that is not understood is never ignored."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.interop import UnpublishedCause
from sharing.interop.stix.markings import KNOWN_MARKINGS, TLP_2_EXTENSION
from sharing.model.vocabulary import Pap, Tlp
from tests.interop.import_fixtures import list_published, list_unpublished
from tests.interop.stix_fixtures import (
    ANY,
    ONLY,
    RED_ID,
    STATEMENT_ID,
    get_only_indicator,
    import_bundle,
    make_bundle,
    make_id,
    make_indicator,
    make_marking,
    make_object,
)

OTHER_ID = "marking-definition--22222222-2222-4222-8222-222222222222"
OLD_RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
STRICT_ID = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
IP = make_object("ipv4-addr", value="198.51.100.7")
MARKED: dict[str, Any] = {"object_marking_refs": [STATEMENT_ID]}
INDICATOR_ID = make_id("indicator")


def make_tlp_2(level: Any) -> dict[str, Any]:
    return {TLP_2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level}}


RED_DEFINITIONS = [
    {"definition_type": "tlp", "definition": {"tlp": "red"}},
    {"definition_type": "TLP", "definition": {"TLP": "TLP:RED"}, "name": "TLP:RED"},
    {"definition_type": "tlp", "definition": {"tlp": "\u200bRED"}},
    {"extensions": make_tlp_2("red")},
    {"name": "TLP:RED"},
    {"name": "\u200btlp\uff1aRed"},
    {"name": "TLP:RED", "definition_type": "statement", "definition": {"statement": "custom"}},
    {"definition_type": "TLP:RED"},
    {"definition_type": "statement", "definition": {"statement": "TLP:RED"}},
    {
        "definition_type": "statement",
        "definition": {"statement": "custom"},
        "x_opencti_definition_type": "TLP",
        "x_opencti_definition": "TLP:RED",
        "extensions": {"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": {"id": "x"}},
    },
    {"name": "TLP:GREEN", "definition_type": "tlp", "definition": {"tlp": "red"}},
    {"name": "TLP:AMBER", "extensions": make_tlp_2("red")},
]


@pytest.mark.parametrize("definition", RED_DEFINITIONS)
def test_each_form_of_a_definition_of_red_is_red(definition: dict[str, Any]) -> None:
    result = import_bundle(make_indicator(**MARKED), make_marking(**definition), profile="defaults: {tlp: CLEAR}")
    assert get_only_indicator(result).tlp is Tlp.RED


@pytest.mark.parametrize("identity", KNOWN_MARKINGS)
def test_the_well_known_ids_need_no_definition(identity: str) -> None:
    indicator = get_only_indicator(import_bundle(make_indicator(object_marking_refs=[identity])))
    name = KNOWN_MARKINGS[identity].removeprefix("tlp:").upper()
    assert indicator.tlp is Tlp("CLEAR" if name == "WHITE" else name)


RED: dict[str, Any] = {"object_marking_refs": [RED_ID]}
RED_PLACES: dict[str, list[Any]] = {
    "the object": [make_indicator(**RED)],
    "an id in capitals with an invisible character": [make_indicator(object_marking_refs=[f"\u200b{RED_ID.upper()}"])],
    "an old and a weaker marking": [
        make_indicator(object_marking_refs=["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", OLD_RED])
    ],
    "a part of the object": [
        make_indicator(granular_markings=[{"selectors": ["description"], "marking_ref": RED_ID}, {"lang": "fr"}])
    ],
    "a label": [make_indicator(labels=["x", "TLP:RED"])],
    "an indicator type": [make_indicator(indicator_types=["malicious-activity", "tlp:red"])],
    "a report": [make_indicator(), make_object("report", **RED, object_refs=[INDICATOR_ID])],
    "a grouping before it": [make_object("grouping", **RED, object_refs=[INDICATOR_ID]), make_indicator()],
    "the label of a note": [make_indicator(), make_object("note", labels=["tlp:red"], object_refs=[INDICATOR_ID])],
    "an opinion": [make_indicator(), make_object("opinion", **RED, object_refs=[INDICATOR_ID.upper()])],
    "an unknown object": [make_indicator(), make_object("x-container", **RED, object_refs=[INDICATOR_ID])],
    "an older version of a report": [
        make_indicator(),
        make_object("report", **RED, object_refs=[INDICATOR_ID], modified="2026-01-01T00:00:00Z"),
        make_object("report", object_refs=[], modified="2026-02-01T00:00:00Z"),
    ],
    "a report of a grouping": [
        make_indicator(),
        make_object("grouping", object_refs=[INDICATOR_ID]),
        make_object("report", **RED, object_refs=[make_id("grouping")]),
    ],
    "reports that contain each other": [
        make_indicator(),
        make_object("report", 1, object_refs=[INDICATOR_ID, make_id("report", 2)]),
        make_object("report", 2, object_refs=[make_id("report", 1), make_id("report", 3)]),
        make_object("report", 3, **RED, object_refs=[make_id("report", 2), make_id("report", 3)]),
    ],
    "a report that does not say what it contains": [make_indicator(), make_object("report", **RED, object_refs="x")],
    "a report with a broken list": [make_indicator(), make_object("report", **RED, object_refs=[7])],
}


@pytest.mark.parametrize("place", RED_PLACES)
def test_red_counts_wherever_it_is(place: str) -> None:
    result = import_bundle(*RED_PLACES[place], profile="defaults: {tlp: GREEN}")
    assert get_only_indicator(result).tlp is Tlp.RED


SIGHTING: dict[str, Any] = {"sighting_of_ref": INDICATOR_ID}
RELATION: dict[str, Any] = {"source_ref": INDICATOR_ID, "target_ref": make_id("malware")}


@pytest.mark.parametrize(
    "connections",
    [
        [make_object("relationship", **RED, **RELATION)],
        [make_object("relationship", **RED, source_ref=make_id("malware"), target_ref=INDICATOR_ID.upper())],
        [make_object("relationship", labels=["tlp:red"], **RELATION)],
        [make_object("sighting", **RED, **SIGHTING)],
        [make_object("sighting", **RED, sighting_of_ref=7)],
        [make_object("sighting", **SIGHTING), make_object("report", **RED, object_refs=[make_id("sighting")])],
        [
            make_object("report", object_refs=[INDICATOR_ID]),
            make_object("relationship", **RED, source_ref=make_id("report"), target_ref=make_id("malware")),
        ],
    ],
)
def test_a_marking_of_what_connects_an_unmarked_object_counts(connections: list[dict[str, Any]]) -> None:
    for labels in (["c2"], ["pap:green"]):
        assert get_only_indicator(import_bundle(make_indicator(labels=labels), *connections)).tlp is Tlp.RED


@pytest.mark.parametrize(
    ("tlp", "objects"),
    [
        (Tlp.GREEN, [make_indicator(labels=["tlp:green"])]),
        (Tlp.CLEAR, [make_indicator(), make_object("report", labels=["tlp:clear"], object_refs=[INDICATOR_ID])]),
    ],
)
def test_a_marking_of_what_connects_a_marked_object_is_about_the_connection(tlp: Any, objects: Any) -> None:
    """That somebody saw a public indicator may be secret; the indicator is not."""
    connections = [make_object("sighting", **RED, **SIGHTING), make_object("relationship", **RED, **RELATION)]
    assert get_only_indicator(import_bundle(*objects, *connections)).tlp is tlp


def test_an_unknown_marking_of_what_connects_an_unmarked_object_refuses_it_and_its_other_labels_do_not_count() -> None:
    relation = make_object("relationship", **MARKED, **RELATION)
    (unpublished,) = (
        entry
        for entry in import_bundle(make_indicator(), relation).unpublished
        if entry.cause is UnpublishedCause.INVALID
    )
    assert unpublished.reason.startswith(f"/objects/1, which names it: its marking {STATEMENT_ID} is not defined")
    labelled = make_object("relationship", labels=["x"], **RELATION)
    assert get_only_indicator(import_bundle(make_indicator(), labelled, profile="by_tag: {x: {tlp: RED}}")).tlp is None


def test_a_statement_that_mentions_tlp_is_named_by_its_id() -> None:
    marking = make_marking(definition_type="statement", definition={"statement": "Handle as TLP:RED; no police"})
    marked = make_indicator(**MARKED)
    by_statement = "by_tag: {'marking:handle as*': {}}"
    assert import_bundle(marked, marking, profile=by_statement).indicators == ()
    by_id = f"by_tag: {{'marking:{STATEMENT_ID}': {{tlp: AMBER}}}}"
    assert get_only_indicator(import_bundle(marked, marking, profile=by_id)).tlp is Tlp.AMBER


@pytest.mark.parametrize(
    "bundle",
    [
        make_bundle(make_indicator(), **RED),
        make_bundle(make_indicator(), labels=["tlp:red"]),
        make_bundle(make_bundle(make_indicator()), **RED),
        [make_bundle(make_indicator(), **RED)],
    ],
)
def test_a_marking_of_a_bundle_counts_for_all_in_it(bundle: Any) -> None:
    outer = bundle if isinstance(bundle, dict) else make_bundle(*bundle)
    result = import_bundle(*outer["objects"], **{name: outer[name] for name in outer if name != "objects"})
    assert get_only_indicator(result).tlp is Tlp.RED


@pytest.mark.parametrize(
    "holder",
    [
        make_object("observed-data", **RED, object_refs=[IP["id"]]),
        make_object("malware", **RED, sample_refs=[IP["id"]]),
        make_object("malware-analysis", **RED, analysis_sco_refs=[IP["id"]]),
    ],
)
def test_a_marking_of_what_names_an_observable_counts(holder: dict[str, Any]) -> None:
    assert get_only_indicator(import_bundle(holder, IP, profile=ANY)).tlp is Tlp.RED


def test_a_marking_of_old_observed_data_counts_for_what_is_in_it() -> None:
    embedded = {"0": {"type": "ipv4-addr", "value": "198.51.100.7"}}
    observed = {"type": "observed-data", "id": make_id("observed-data"), "objects": embedded}
    report = make_object("report", **RED, object_refs=[observed["id"]])
    for objects in ([{**observed, **RED}], [observed, report]):
        assert get_only_indicator(import_bundle(*objects, profile=ANY)).tlp is Tlp.RED


@pytest.mark.parametrize(
    ("refs", "profile", "tlp", "pap"),
    [
        ([], ONLY, None, None),
        ([], "defaults: {tlp: AMBER, pap: GREEN}", Tlp.AMBER, Pap.GREEN),
        ([STATEMENT_ID], "defaults: {tlp: RED}", Tlp.RED, Pap.RED),
        ([STATEMENT_ID, STRICT_ID], "defaults: {tlp: AMBER}", Tlp.AMBER_STRICT, Pap.RED),
    ],
)
def test_the_stricter_of_file_and_profile_counts(refs: list[str], profile: str, tlp: Any, pap: Any) -> None:
    indicator = get_only_indicator(
        import_bundle(make_indicator(object_marking_refs=refs), make_marking(name="PAP:RED"), profile=profile)
    )
    assert (indicator.tlp, indicator.pap) == (tlp, pap)


UNKNOWN_DEFINITIONS = [
    {"definition_type": "statement", "definition": {"statement": "Copyright 2026"}},
    {"definition_type": "statement", "definition": {"statement": ""}},
    {"definition_type": "statement", "definition": {"statement": "custom"}},
    {"definition_type": "iep", "definition": {"version": 1}},
    {"definition_type": "tlp", "definition": {"tlp": "clear", "more": "x"}},
    {"definition_type": "tlp", "definition": {}},
    {"extensions": {"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce": {"acs": "x"}}},
    {"extensions": {**make_tlp_2("clear"), "extension-definition--x": {}}},
    {"extensions": {TLP_2_EXTENSION: {"tlp_2_0": 7}}},
    {"extensions": {}},
    {"name": "Our marking"},
    {"name": "Our marking", "extensions": make_tlp_2("clear")},
    {"definition_type": "tlp", "definition": {"tlp": "clear"}, "x_restriction": "no police"},
    {"definition_type": "statement", "definition": {"statement": "No police"}, "name": "TLP:CLEAR"},
]


@pytest.mark.parametrize("definition", UNKNOWN_DEFINITIONS)
def test_a_marking_that_says_something_else_needs_an_entry_in_the_profile(definition: dict[str, Any]) -> None:
    objects = (make_indicator(**MARKED), make_marking(**definition))
    (entry,) = import_bundle(*objects).unpublished[:1]
    assert (entry.position, entry.cause) == ("/objects/0/pattern", UnpublishedCause.INVALID)
    assert f"enter `marking:{STATEMENT_ID}: {{}}` under `by_tag`" in entry.reason
    for pattern in (f"marking:{STATEMENT_ID}", f"MARKING:{STATEMENT_ID.upper()}", "marking:*"):
        result = import_bundle(*objects, profile=f"by_tag: {{'{pattern}': {{pap: AMBER}}}}")
        assert get_only_indicator(result).pap is Pap.AMBER
    for pattern in ("*", "marking", "tlp:*", f"marking:{OTHER_ID}"):
        assert import_bundle(*objects, profile=f"by_tag: {{'{pattern}': {{}}}}").indicators == ()


@pytest.mark.parametrize(
    "definition",
    [
        {"name": "Our Marking"},
        {"definition_type": "statement", "definition": {"statement": "Our Marking"}},
        {"definition_type": "statement", "definition": {"statement": "custom"}, "x_opencti_definition": "Our Marking"},
    ],
)
def test_a_marking_may_be_named_in_the_profile_by_its_name_or_statement(definition: dict[str, Any]) -> None:
    profile = "by_tag: {'marking:our marking': {handling: [H1], tlp: AMBER}}"
    result = import_bundle(make_indicator(**MARKED), make_marking(**definition), profile=profile)
    assert get_only_indicator(result).tlp is Tlp.AMBER


def test_a_known_marking_that_says_more_is_still_as_strict() -> None:
    profile = f"by_tag: {{'marking:{RED_ID}': {{}}}}"
    definition = make_marking(id=RED_ID, name="TLP:RED", x_restriction="x")
    assert import_bundle(make_indicator(**RED), definition).indicators == ()
    assert get_only_indicator(import_bundle(make_indicator(**RED), definition, profile=profile)).tlp is Tlp.RED
    unnamed = make_marking(id=RED_ID, definition_type="iep", definition={})
    assert get_only_indicator(import_bundle(make_indicator(**RED), unnamed, profile=profile)).tlp is Tlp.RED


def test_an_acknowledged_marking_removes_no_other() -> None:
    profile = f"by_tag: {{'marking:{STATEMENT_ID}': {{}}}}"
    both = make_indicator(object_marking_refs=[STATEMENT_ID, OTHER_ID])
    assert import_bundle(both, make_marking(name="Ours"), profile=profile).indicators == ()
    named = make_marking(name="TLP:RED", definition_type="statement", definition={"statement": "No police"})
    assert get_only_indicator(import_bundle(make_indicator(**MARKED), named, profile=profile)).tlp is Tlp.RED


REFUSED: list[tuple[dict[str, Any], list[Any], str]] = [
    (MARKED, [], "is not defined in the file"),
    (MARKED, [make_marking(name="TLP:PURPLE")], "a TLP tag must be one of"),
    (MARKED, [make_marking(name="TLP RED")], "a TLP tag must be one of"),
    (MARKED, [make_marking(definition_type="tlp", definition={"tlp": "purple"})], "a TLP tag must be one of"),
    (MARKED, [make_marking(definition_type="tlp", definition={"tlp": 7})], "cannot be read"),
    (MARKED, [make_marking(definition_type="tlp", definition="red")], "cannot be read"),
    (MARKED, [make_marking(definition_type=7, definition={})], "cannot be read"),
    (MARKED, [make_marking(definition={"tlp": "red"})], "cannot be read"),
    (MARKED, [make_marking(extensions=[])], "cannot be read"),
    (MARKED, [make_marking(name=7)], "cannot be read"),
    (MARKED, [make_marking(name="TLP:RED"), make_marking(name="TLP:CLEAR")], "in several ways"),
    (
        {"object_marking_refs": [RED_ID]},
        [make_marking(id=RED_ID, name="TLP:CLEAR")],
        "is TLP:RED, and the file defines",
    ),
    ({"object_marking_refs": RED_ID}, [], "must be lists"),
    ({"object_marking_refs": {}}, [], "must be lists"),
    ({"object_marking_refs": [7]}, [], "not the id of a marking-definition"),
    ({"object_marking_refs": [None]}, [], "not the id of a marking-definition"),
    ({"object_marking_refs": [make_marking(name="TLP:RED")]}, [], "not the id of a marking-definition"),
    ({"object_marking_refs": [INDICATOR_ID]}, [], "not the id of a marking-definition"),
    ({"object_marking_refs": ["tlp:red"]}, [], "not the id of a marking-definition"),
    ({"granular_markings": {}}, [], "must be lists"),
    ({"granular_markings": [7]}, [], "granular_markings: cannot be read"),
    ({"granular_markings": [{"selectors": ["x"]}]}, [], "granular_markings: cannot be read"),
    ({"granular_markings": [{"marking_ref": None, "lang": "fr"}]}, [], "not the id of a marking-definition"),
    ({"labels": "tlp:red"}, [], "labels: must be a list of texts"),
    ({"labels": [["tlp:red"]]}, [], "labels: must be a list of texts"),
    ({"labels": ["TLP-RED"]}, [], "a TLP tag must be one of"),
    ({"indicator_types": {"tlp:red": 1}}, [], "indicator_types: must be a list of texts"),
    ({}, [make_object("report", **MARKED, object_refs=[INDICATOR_ID])], "/objects/1, which contains it: its marking"),
    ({}, [make_object("report", labels=7, object_refs=[INDICATOR_ID])], "/objects/1, which contains it: labels"),
]


@pytest.mark.parametrize(("fields", "others", "reason"), REFUSED)
def test_a_marking_that_cannot_be_read_or_resolved_refuses_the_value(
    fields: dict[str, Any], others: list[Any], reason: str
) -> None:
    for profile in (ONLY, "to_ids: any\nby_tag: {'*': {}}"):
        result = import_bundle(make_indicator(**fields), *others, profile=profile)
        assert list_published(result) == []
        assert list_unpublished(result)[0] == ("/objects/0/pattern", UnpublishedCause.INVALID)
        assert reason in result.unpublished[0].reason


def test_the_marking_of_a_definition_is_not_one_of_the_object() -> None:
    definition = make_marking(name="TLP:GREEN", object_marking_refs=[RED_ID])
    assert get_only_indicator(import_bundle(make_indicator(**MARKED), definition)).tlp is Tlp.GREEN


def test_facts_that_labels_state_are_read_as_those_of_tags() -> None:
    labels = [
        "copine-scale:level-7",
        'admiralty-scale:source-reliability="b"',
        'admiralty-scale:information-credibility="2"',
    ]
    profile = "by_tag: {malicious-activity: {urgency: URGENT}, 'report-*': {secrecy_domain: NO}}"
    report = make_object("report", labels=["report-x"], object_refs=[INDICATOR_ID])
    indicator = get_only_indicator(
        import_bundle(make_indicator(labels=labels, indicator_types=["malicious-activity"]), report, profile=profile)
    )
    assert (indicator.minor, indicator.grading.admiralty, indicator.urgency) == ("YES", "B2", "URGENT")
    assert indicator.secrecy_domain == "NO"


def test_more_tags_than_are_compared_refuse_the_value() -> None:
    labels = [f"l{number}" for number in range(600)]
    report = make_object("report", labels=labels[:400], object_refs=[INDICATOR_ID])
    for objects in ([make_indicator(labels=labels)], [make_indicator(), report, {**report, "labels": labels[300:]}]):
        result = import_bundle(*objects)
        assert list_published(result) == []
        assert "more than 500 labels and markings" in result.unpublished[0].reason


def test_containment_without_end_is_refused_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.interop.stix.containers._STEPS_MAX", 50)
    reports = [
        make_object("report", number, object_refs=[INDICATOR_ID if number == 1 else make_id("report", number - 1)])
        for number in range(1, 100)
    ]
    result = import_bundle(make_indicator(), *reports)
    assert list_published(result) == []
    assert "split the file" in result.unpublished[0].reason


def test_what_contains_many_objects_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for objects without a marking, whose relationships are looked for, too."""
    monkeypatch.setattr("sharing.interop.stix.containers._STEPS_MAX", 100)
    indicators = [make_indicator(f"[ipv4-addr:value = '198.51.100.{number}']", number) for number in range(1, 101)]
    references = [indicator["id"] for indicator in indicators]
    report = make_object("report", object_refs=references)
    groupings = [make_object("grouping", number, object_refs=[report["id"]]) for number in range(1, 21)]
    assert len(import_bundle(*indicators, report, *groupings).indicators) == 100
