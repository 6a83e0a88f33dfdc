"""The publishing profile: the most specific section takes precedence, and all are checked before any file is read."""

from __future__ import annotations

import pytest

from sharing.errors import InputError
from sharing.interop import NO_PROFILE, PublishingProfile, ToIds, parse_profile
from tests.interop.import_fixtures import import_event, make_attribute

PROFILE = """
title: A sample
to_ids: any
defaults:
  form: INFORMATION
  offence: {codes: [ILLEGAL_ACCESS], modus_operandi: [malware]}
  personal_data: NO
by_type:
  email-addr: {personal_data: YES, offence: {modus_operandi: [phishing]}}
by_tag:
  group:alpha-one: {urgency: URGENT, form: EVIDENCE}
  group:*: {urgency: ORDINARY, subject_class: SUSPECT}
  group:alpha*: {subject_class: CONVICTED, offence: {codes: [LAUNDERING]}}
"""


def get_facts(type_name: str, *tags: str) -> dict[str, object]:
    return parse_profile(PROFILE, "p.yaml").get_facts(type_name, tags)


def test_a_type_overrides_the_defaults_field_by_field() -> None:
    assert get_facts("url")["personal_data"] == "NO"
    assert get_facts("email-addr") == {
        "form": "INFORMATION",
        "offence": {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": ["phishing"]},
        "personal_data": "YES",
    }


def test_a_tag_overrides_the_type_and_the_most_specific_tag_comes_last() -> None:
    assert get_facts("email-addr", "other", "Group:Beta") == {
        **get_facts("email-addr"),
        "urgency": "ORDINARY",
        "subject_class": "SUSPECT",
    }
    exact = get_facts("email-addr", "GROUP:ALPHA-ONE")
    assert (exact["urgency"], exact["subject_class"], exact["form"]) == ("URGENT", "CONVICTED", "EVIDENCE")
    assert exact["offence"] == {"codes": ["LAUNDERING"], "modus_operandi": ["phishing"]}


def test_an_exact_tag_comes_after_every_prefix_whatever_its_characters() -> None:
    text = "by_tag: {'actor=\"Alpha\"': {urgency: URGENT}, 'actor=*': {urgency: ORDINARY}, '*': {urgency: EMERGENCY}}"
    profile = parse_profile(text, "p.yaml")
    assert [profile.get_facts("url", (tag,))["urgency"] for tag in ('actor="alpha"', 'actor="beta"', "x")] == [
        "URGENT",
        "ORDINARY",
        "EMERGENCY",
    ]


def test_merging_does_not_change_the_profile() -> None:
    profile = parse_profile(PROFILE, "p.yaml")
    before = repr(profile)
    profile.get_facts("email-addr", ("group:alpha-one",))["offence"]["codes"] = []
    assert repr(profile) == before


def test_tags_of_event_and_attribute_both_select_facts() -> None:
    result = import_event(
        make_attribute("ip-dst", "198.51.100.7", Tag=[{"name": "group:alpha-one"}]),
        make_attribute("ip-dst", "198.51.100.8"),
        Tag=[{"name": "group:beta"}],
        profile=PROFILE,
    )
    assert [str(located.indicator.urgency) for located in result.indicators] == ["URGENT", "ORDINARY"]
    assert [str(located.indicator.subject_class) for located in result.indicators] == ["CONVICTED", "SUSPECT"]


def test_sections_may_be_empty_and_the_empty_profile_adds_nothing() -> None:
    assert parse_profile("defaults:\nby_type:\nby_tag:\n", "p.yaml") == PublishingProfile()
    assert parse_profile("title: x", "p.yaml").to_ids is ToIds.ONLY
    assert NO_PROFILE.get_facts("url", ("tlp:red",)) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "p.yaml: is empty"),
        ("- a", "p.yaml:1:"),
        ("defaults: {form: [", "is not YAML"),
        ("default: {}", "p.yaml:1: default: unknown field; did you mean 'defaults'?"),
        ("to_ids: yes", "p.yaml:1: to_ids: must be one of only, any"),
        ("defaults: 7", "p.yaml:1: defaults:"),
        ("defaults:\n  form: EVIDENC", "p.yaml:2: defaults.form: must be one of"),
        ("defaults:\n  form: EVIDENC", "did you mean 'EVIDENCE'"),
        ("defaults:\n  fom: EVIDENCE", "p.yaml:2: defaults.fom: unknown field; did you mean 'form'"),
        ("defaults:\n  form: EVIDENCE\n  form: EVIDENCE", "p.yaml:3: defaults.form: is a duplicate key; keep one"),
        ("defaults:\n  offence:\n    codes: [ILEGAL_ACCESS]", "p.yaml:3: defaults.offence.codes.0:"),
        ("defaults:\n  offence:\n    code: []", "did you mean 'codes'"),
        ("defaults:\n  findings: {serious_ofence: YES}", "did you mean 'serious_offence'"),
        ("defaults:\n  personal_data: MAYBE", "p.yaml:2: defaults.personal_data: must be one of YES, NO, UNKNOWN"),
        ("defaults:\n  id: 018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "p.yaml:2: defaults.id: comes from each indicator"),
        ("by_type:\n  url:\n    type: url", "p.yaml:3: by_type.url.type: comes from each indicator"),
        ("by_tag:\n  x: {value: y}", "by_tag.x.value: comes from each indicator"),
        ("defaults:\n  source: {state: DE}", "defaults.source.state: is given with --state"),
        ("by_type: {url: {source: {agency: x}}}", "by_type.url.source.agency: is given with --agency"),
        ("by_type:\n  urls: {}", "p.yaml:2: by_type.urls: is not a type of indicator; did you mean 'url'"),
        ("by_tag:\n  'a*b': {}", "by_tag.a*b: has a * before its end"),
        ("defaults: {handling: [H3]}", "handling_text: is missing"),
        ("by_type: {url: {grading: {source: A}}}", "by_type.url.grading: source and information"),
        ("defaults: {review_at: 2027-01-01}", "defaults.review_at: must be an RFC 3339 time"),
        ("defaults: {review_at: '0001-01-01T00:00:00+14:00'}", "p.yaml:1: defaults"),
        ("defaults: &a {form: EVIDENCE}\nby_type: {url: *a}", "an alias"),
    ],
)
def test_an_error_has_file_line_key_and_the_nearest_name(text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_profile(text, "p.yaml")
    assert expected in str(caught.value)


def test_a_section_is_checked_together_with_the_defaults() -> None:
    text = "defaults: {handling_text: Ask first.}\nby_type: {url: {handling: [H3]}}"
    assert parse_profile(text, "p.yaml").get_facts("url") == {"handling_text": "Ask first.", "handling": ["H3"]}
    with pytest.raises(InputError, match=r"by_type\.url\.handling_text: is missing"):
        parse_profile("defaults: {form: EVIDENCE}\nby_type: {url: {handling: [H3]}}", "p.yaml")


def test_an_attribute_whose_sections_conflict_is_not_published() -> None:
    text = (
        "defaults: {handling_text: Ask first.}\n"
        "by_type: {ipv4-addr: {handling: [H3]}}\n"
        "by_tag: {loose: {handling_text: null}}"
    )
    result = import_event(
        make_attribute("ip-dst", "198.51.100.7", Tag=[{"name": "loose"}]),
        make_attribute("ip-dst", "198.51.100.8"),
        profile=text,
    )
    assert [located.position[-1] for located in result.indicators] == ["1"]
    assert "handling_text: is missing" in result.unpublished[0].reason
