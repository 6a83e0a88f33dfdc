"""Digests in the gate's state store: without the State's key, nobody can tell of which record one is."""

from __future__ import annotations

from pydantic import SecretBytes

from processors.gate.input_records import InputRecords
from processors.gate.item_versions import ItemVersions
from processors.gate.record_digests import NO_KEY, RecordDigester, compute_digest

KEYS = {name: SecretBytes(bytes([number]) * 32) for number, name in enumerate(("a" * 64, "b" * 64))}
OLD, NEW = KEYS


def test_a_digest_is_compared_under_the_key_with_which_it_was_made() -> None:
    digest = RecordDigester(OLD, KEYS.get).compute(b"record")
    later = RecordDigester(NEW, KEYS.get)
    assert later.is_digest_of(digest, OLD, b"record")
    assert not later.is_digest_of(digest, OLD, b"another")
    assert not later.is_digest_of(digest, NEW, b"record")


def test_without_its_key_a_digest_is_of_no_record() -> None:
    digest = RecordDigester(OLD, KEYS.get).compute(b"record")
    assert not RecordDigester(NEW, {NEW: KEYS[NEW]}.get).is_digest_of(digest, OLD, b"record")
    assert not RecordDigester().is_digest_of(digest, OLD, b"record")


def test_digests_from_before_the_keys_are_compared() -> None:
    plain = RecordDigester().compute(b"record")
    assert plain == compute_digest(b"record")
    assert RecordDigester(NEW, KEYS.get).is_digest_of(plain, NO_KEY, b"record")


def test_an_entry_has_no_digest_that_everybody_can_compute() -> None:
    item = ItemVersions(InputRecords.read([]), None, RecordDigester(OLD, KEYS.get)).describe(
        "a", 2, "PUBLISH", b"record"
    )
    assert item.content_digest != compute_digest(b"record")
    assert item.digest_key == OLD
