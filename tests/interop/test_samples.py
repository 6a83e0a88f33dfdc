"""The shipped samples: unchanged, licensed, and completely imported with the shipped profiles."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from importlib.resources import as_file, files

import pytest

from sharing.errors import InputError
from sharing.interop import ImportContext, PublisherIdentity, PublishingProfile, load_profile, parse_profile, read_bytes
from sharing.kafka.directory_topic import parse_entries
from sharing.model.vocabulary import Collection, Form, Purpose, Tristate
from sharing.testing.samples import (
    sample_directory,
    sample_file,
    sample_files,
    sample_profile,
    sample_profiles,
    sample_stix_file,
    sample_stix_files,
)
from tests.interop.import_fixtures import generate_ids
from tests.interop.stix_counts import count_objects

ZEBROCY, GLUPTEBA, KRYPTOCIBULE = "2018-11-20_Zebrocy.json", "glupteba.misp-event.json", "misp-kryptocibule.json"
SHA256_AS_PUBLISHED = {
    ZEBROCY: "b62edb322fb4d565ff46acffbae7bb2526ecc1b29c45924c564d7f1a5595f510",
    GLUPTEBA: "1ee771e29f5f8eb0edda90712e6e83b14ac1533e8cd51f210695b321b97d9032",
    KRYPTOCIBULE: "98ba1f30fcf86652ca350722bc1b311e044f43627129476753a40d4c3ab5b20c",
}
EXPECTED = {  # file: total, published, unpublished by cause
    ZEBROCY: (47, 28, {"UNSUPPORTED_TYPE": 19}),
    GLUPTEBA: (331, 323, {"DUPLICATE": 2, "UNSUPPORTED_TYPE": 6}),
    KRYPTOCIBULE: (191, 111, {"REFERENCE": 1, "INVALID": 1, "UNSUPPORTED_TYPE": 78}),
}


STIX_SHA256_AS_PUBLISHED = (
    "2f22536e419a06c44198b5b4854e33124e76b604929a3da8bd013e0ab8676c30",
    "cd28630f73c909a1e7b3e0f0ad37a08203a850bdd5cd0a019d823975cedb05a5",
    "25c655eb383845f1b209d46867fb8ce9fcb48bc2925f02a0ab11df37b3b5b7c1",
    "dc76a835d2089db44eca6a2540d65cd306ea3b8162bfbf28d07c6321d84115e9",
)
STIX_EXPECTED = {  # file: total, published, unpublished by cause; with `to_ids: any`
    "apt1.json": (78, 10, {"CONTEXT": 64, "UNSUPPORTED_TYPE": 4}),
    "indicators-for-C2-with-COA.json": (8, 2, {"CONTEXT": 6}),
    "infrastructure.json": (10, 2, {"CONTEXT": 8}),
    "malicious-email-indicator-with-attachment.json": (6, 0, {"CONTEXT": 4, "CONDITIONAL": 2}),
}


def shipped_profile(state: str) -> PublishingProfile:
    """Return a shipped profile."""
    resource = sample_profile(state)
    return parse_profile(resource.read_text(encoding="utf-8"), resource.name)


def test_the_samples_are_unchanged_and_have_their_licence() -> None:
    assert sample_files() == tuple(EXPECTED)
    assert sample_profiles() == ("ch", "de", "jp", "nl")
    assert "ESET" in (files("sharing.testing.samples") / "misp" / "LICENSE").read_text(encoding="utf-8")
    for name, digest in SHA256_AS_PUBLISHED.items():
        assert hashlib.sha256(sample_file(name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("state", ["CH", "DE", "JP", "NL"])
@pytest.mark.parametrize("name", EXPECTED)
def test_each_sample_is_imported_with_each_profile(name: str, state: str) -> None:
    ids = generate_ids()
    result = read_bytes(
        sample_file(name).read_bytes(),
        name,
        ImportContext(PublisherIdentity(state, "Sample agency"), lambda _: next(ids), shipped_profile(state)),
    )
    total, published, causes = EXPECTED[name]
    assert (result.total, len(result.indicators)) == (total, published)
    assert Counter(str(entry.cause) for entry in result.unpublished) == causes


def test_the_stix_samples_are_unchanged_and_have_their_licence() -> None:
    assert sample_stix_files() == tuple(STIX_EXPECTED)
    assert "OASIS" in (files("sharing.testing.samples") / "stix" / "LICENSE").read_text(encoding="utf-8")
    digests = [hashlib.sha256(sample_stix_file(name).read_bytes()).hexdigest() for name in sample_stix_files()]
    assert tuple(digests) == STIX_SHA256_AS_PUBLISHED


@pytest.mark.parametrize("state", ["CH", "DE", "JP", "NL"])
@pytest.mark.parametrize("name", STIX_EXPECTED)
def test_each_stix_sample_is_imported_with_each_profile(name: str, state: str) -> None:
    data, ids = sample_stix_file(name).read_bytes(), generate_ids()
    context = ImportContext(PublisherIdentity(state, "Sample agency"), lambda _: next(ids), shipped_profile(state))
    result = read_bytes(data, name, context)
    total, published, causes = STIX_EXPECTED[name]
    assert (result.total, len(result.indicators)) == (total, published)
    assert Counter(str(entry.cause) for entry in result.unpublished) == causes
    assert result.total == count_objects(json.loads(data)["objects"], result)


@pytest.mark.parametrize("state", ["CH", "DE", "JP", "NL"])
def test_a_profile_states_the_facts_that_the_events_do_not_carry(state: str) -> None:
    profile = shipped_profile(state)
    ids = generate_ids()
    result = read_bytes(
        sample_file(ZEBROCY).read_bytes(),
        ZEBROCY,
        ImportContext(PublisherIdentity(state, "x"), lambda _: next(ids), profile),
    )
    for indicator in (located.indicator for located in result.indicators):
        assert indicator.source.state == state
        assert indicator.form is Form.INFORMATION
        assert indicator.collection is Collection.OPEN_SOURCE
        assert indicator.offence.codes
        assert indicator.secrecy_domain is indicator.live_case_harm is Tristate.NO
        assert indicator.character == ()
        mail = indicator.type == "email-addr"
        assert indicator.personal_data is (Tristate.YES if mail else Tristate.NO)
        assert indicator.purpose in {Purpose.DETECTION, Purpose.INVESTIGATION}
        assert "spear-phishing" in indicator.offence.modus_operandi  # from the tag of the event


def test_a_profile_can_be_used_as_a_file() -> None:
    with as_file(sample_profile("nl")) as path:
        assert load_profile(path) == shipped_profile("NL")


def test_the_sample_directory_is_valid() -> None:
    assert {"CH", "DE", "NL", "JP"} <= {entry.state for entry in parse_entries(*sample_directory())}


@pytest.mark.parametrize("request_sample", [lambda: sample_file("../__init__.py"), lambda: sample_profile("xx")])
def test_an_unknown_sample_is_refused(request_sample: object) -> None:
    assert callable(request_sample)
    with pytest.raises(InputError, match="there is no sample"):
        request_sample()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_total_is_the_number_of_values_in_the_event(name: str) -> None:
    event = json.loads(sample_file(name).read_bytes())["response"][0]["Event"]
    assert EXPECTED[name][0] == sum(1 + item["type"].count("|") for item in event["Attribute"])
