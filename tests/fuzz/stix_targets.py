"""The fuzz target of STIX bundles."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

from sharing.errors import InputError
from sharing.interop import FileFormat, ImportContext, PublisherIdentity, PublishingProfile, ToIds
from sharing.interop.files import read_bytes
from sharing.testing.samples import sample_stix_file, sample_stix_files
from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.mutation import corrupt_bytes, corrupt_tree
from tests.interop.stix_counts import count_objects
from tests.interop.stix_fixtures import PATTERN, RED_ID, make_bundle, make_id, make_indicator, make_marking, make_object
from tests.interop.test_accounting import check_result

_NAMESPACE = uuid.UUID("018f3c1e-7b1a-7c3d-8e2f-0123456789ab")
_MARKED = make_bundle(
    make_marking(name="TLP:RED", definition_type="tlp", definition={"tlp": "red"}),
    make_indicator(object_marking_refs=[RED_ID], labels=["tlp:green"], indicator_types=["malicious-activity"]),
    make_indicator(f"{PATTERN} OR [file:hashes.MD5 = '{'0' * 32}' AND file:name = 'x']", 2, revoked=False),
    make_object(
        "file", name="x", hashes={"MD5": "0" * 32}, granular_markings=[{"marking_ref": RED_ID, "selectors": []}]
    ),
    make_object("report", object_refs=[make_id("indicator"), make_id("report")]),
    {"type": "observed-data", "id": make_id("observed-data"), "objects": {"0": {"type": "mutex", "name": "x"}}},
)


@cache
def _load_seeds() -> list[Any]:
    """Return the sample bundles, reduced to a few objects of each type, and one with markings."""
    seeds = [_MARKED]
    for name in sample_stix_files():
        bundle = json.loads(sample_stix_file(name).read_bytes())
        types: dict[str, list[Any]] = {}
        for item in bundle["objects"]:
            types.setdefault(item["type"], []).append(item)
        seeds.append({**bundle, "objects": [item for items in types.values() for item in items[:2]]})
    return seeds


def _require(condition: object) -> None:
    """Assert that an expected error has the required content."""
    assert condition


def _make_id(identity: Sequence[str]) -> str:
    return str(uuid.uuid5(_NAMESPACE, repr(identity)))


def fuzz_stix(generator: random.Random) -> int:
    """A STIX bundle: each value and each other object in it is published or listed once."""
    bundle = corrupt_tree(generator, generator.choice(_load_seeds()))
    data = json.dumps(bundle).encode()
    if generator.random() < 0.3:
        data = corrupt_bytes(generator, [data])
    profile = PublishingProfile(to_ids=generator.choice(list(ToIds)))
    context = ImportContext(PublisherIdentity("CH", "fuzz"), _make_id, profile, format=FileFormat.STIX)
    try:
        result = read_bytes(data, "input", context)
    except InputError as error:
        _require(str(error))
        return 1
    check_result(result)
    objects = json.loads(data.decode("utf-8-sig"))
    members = objects.get("objects") if isinstance(objects, dict) else None
    if isinstance(members, list) and not any(_is_bundle(item) for item in members):
        assert result.total == count_objects(members, result)
    return 1


def _is_bundle(item: Any) -> bool:
    return isinstance(item, dict) and (item.get("type") == "bundle" or ("type" not in item and "objects" in item))


STIX_TARGETS = (FuzzTarget("STIX bundles", 12, fuzz_stix),)
