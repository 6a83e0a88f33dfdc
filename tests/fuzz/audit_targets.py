"""Fuzz targets for what proves an audit log to others: refused in one sentence, or the same as the original."""

from __future__ import annotations

import base64
import copy
import random
import zlib
from functools import cache
from typing import Any

import cbor2

from sharing.audit.block import decode_entries, read_block
from sharing.audit.checkpoint import verify_checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord, read_checkpoint_record
from sharing.audit.cosignature import verify_cosignatures
from sharing.audit.time_stamp import verify_checkpoint_stamp
from sharing.errors import DecodeError
from sharing.interop.entry_proof_file import read_entry_proof
from sharing.interop.entry_proofs import CheckedEntry, check_entry_proof
from sharing.outcomes.block_reading import read_block as read_outcomes
from sharing.serialization.codec import get_codec
from sharing.trust.documents import Signature
from sharing.trust.faults import TrustError
from sharing.trust.folded_statement import PartialStatement, accept_partial_statement
from sharing.trust.signatures import ObjectKind, build_message
from tests.audit.audit_fixtures import (
    TRUSTED,
    WITNESSES,
    World,
    make_pins_and_documents,
    make_proof,
    make_world,
    stamp_checkpoints,
)
from tests.audit.clock_tsa import get_service
from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.mutation import corrupt_bytes
from tests.fuzz.sealed_targets import ODD_NUMBERS, make_input
from tests.outcomes.outcome_fixtures import TOLD, make_block, make_tag
from tests.trust.trust_fixtures import ROOT_KEYS, make_root

_ODD_PARTS: tuple[Any, ...] = (
    *ODD_NUMBERS, 2**60, 2**64, -(2**64), None, True, 1.5, float("inf"), "", "x", b"", b"\xff" * 3, bytes(32), [], {},
    [[]],
)  # fmt: skip


@cache
def make_stamped_world() -> World:
    """Return a log with cosigned checkpoints that a service has stamped."""
    world = make_world()
    stamp_checkpoints(world)
    return world


@cache
def make_entry_proofs() -> list[bytes]:
    """Return proofs of two decisions, one with a time stamp."""
    world = make_stamped_world()
    stamp = read_checkpoint_record(world.records[-1][1]).earlier[0].time_stamp
    plain = make_proof(world, 4, 3)
    stamped = make_proof(world, 5, 0, checkpoint=-1)
    assert stamp is not None
    return [plain.encode(), _with_stamp(stamped.encode(), stamp)]


def _with_stamp(proof: bytes, stamp: bytes) -> bytes:
    return _replace_extra(proof, {**_read_extra(proof), "time_stamp": stamp})


def _read_extra(proof: bytes) -> Any:
    line = proof.split(b"\n", 2)[1].removeprefix(b"extra ")
    return cbor2.loads(zlib.decompress(base64.b64decode(line)))


def _replace_extra(proof: bytes, extra: Any) -> bytes:
    first, _, rest = proof.split(b"\n", 2)
    packed = base64.b64encode(zlib.compress(cbor2.dumps(extra, canonical=True)))
    return b"\n".join((first, b"extra " + packed, rest))


def _check(proof: bytes) -> CheckedEntry:
    world, (pins, _) = make_stamped_world(), make_pins_and_documents()
    return check_entry_proof(read_entry_proof(proof), pins, world.now, required=2, stamp_roots=[get_service().root])


@cache
def _check_originals() -> dict[bytes, CheckedEntry]:
    checked = map(_check, make_entry_proofs())
    return {each.proof.entry: each for each in checked}


def fuzz_entry_proof(generator: random.Random) -> int:
    """A proof of an entry: refused, or it proves what an original proves, with the same or fewer witnesses."""
    original = generator.choice(make_entry_proofs())
    value = corrupt_bytes(generator, [original])
    if generator.random() < 0.7:
        extra = _read_extra(original)
        container, name = generator.choice(list(_list_leaves(extra)))
        container[name] = _choose_odd(generator, container[name])
        value = _replace_extra(original, extra)
    try:
        checked = _check(value)
    except (TrustError, DecodeError) as error:
        return _require_sentence(error)
    whole = _check_originals()[checked.proof.entry]
    assert (checked.place, checked.number, checked.signer) == (whole.place, whole.number, whole.signer)
    assert checked.cosigned_by.items() <= whole.cosigned_by.items()
    assert checked.stamped_at in {None, whole.stamped_at}
    return 1


@cache
def make_checkpoint_records() -> list[bytes]:
    """Return records of checkpoints, most with cosigned and stamped earlier ones."""
    return [value for _, value in make_stamped_world().records]


def fuzz_checkpoint_record(generator: random.Random) -> int:
    """A record of checkpoints: refused, or one whose genuine signatures are on texts that were signed."""
    value = make_input(generator, "checkpoint", make_checkpoint_records())
    try:
        record = read_checkpoint_record(value)
    except DecodeError as error:
        return _require_sentence(error)
    assert record.encode() == value
    now, originals = make_stamped_world().now, _list_texts()
    for each in (record.checkpoint, *(earlier.checkpoint for earlier in record.earlier)):
        try:
            verify_checkpoint(each, TRUSTED["CH"], now=now)
        except TrustError as error:
            _require_sentence(error)
        else:
            assert each.note.text in originals
        found, faults = verify_cosignatures(each, {state: TRUSTED[state] for state in WITNESSES}, now=now)
        assert not found or each.note.text in originals
        for fault in faults:
            _require_sentence(fault)
    return 1


@cache
def _list_texts() -> frozenset[bytes]:
    records: list[CheckpointRecord] = [read_checkpoint_record(value) for value in make_checkpoint_records()]
    return frozenset(record.checkpoint.note.text for record in records)


def fuzz_time_stamp(generator: random.Random) -> int:
    """The answer of a time-stamping service: it does not count, or says the time that the service has signed."""
    records = [read_checkpoint_record(value) for value in make_checkpoint_records()]
    earlier = generator.choice([record for record in records if record.earlier]).earlier[0]
    original, world = earlier.time_stamp or b"", make_stamped_world()
    value = corrupt_bytes(generator, [original])
    roots = [get_service().root]
    try:
        stamped_at = verify_checkpoint_stamp(value, earlier.checkpoint, roots, world.now)
    except TrustError as error:
        return _require_sentence(error)
    assert stamped_at == verify_checkpoint_stamp(original, earlier.checkpoint, roots, world.now)
    return 1


def fuzz_partial_statement(generator: random.Random) -> int:
    """A key statement of which some keys are shown: refused, also if root keys have signed an odd one."""
    proof = read_entry_proof(make_entry_proofs()[0])
    partial = proof.keys["CH"].statement
    fields: dict[str, Any] = {name: getattr(partial, name) for name in type(partial).model_fields}
    name = generator.choice([each for each in fields if each != "signatures"])
    value = fields[name]
    if isinstance(value, tuple):
        value = generator.choice([(), value * 2, value[:1] * 3])
    elif isinstance(value, int):
        value = generator.choice([*(number for number in ODD_NUMBERS if abs(number) < 2**53), value + 1])
    else:
        value = generator.choice(["0" * 64, value])
    changed = partial.model_copy(update={name: value})
    if generator.random() < 0.7:
        changed = _sign(changed)
    try:
        keys = accept_partial_statement(make_root(state="CH")[0], changed, now=make_stamped_world().now)
    except TrustError as error:
        return _require_sentence(error)
    assert keys.statement.version >= 1 <= keys.statement.root_version
    assert keys.statement.expires_at > keys.statement.issued_at
    assert len({key.key_id for key in keys.statement.keys}) == len(keys.statement.keys)
    return 1


def _sign(statement: PartialStatement) -> PartialStatement:
    message = build_message(ObjectKind.KEYS, "CH", statement.fold("CH"))
    signatures = (Signature(key=key.public_key.key_id, signature=key.sign(message).hex()) for key in ROOT_KEYS)
    return statement.model_copy(update={"signatures": tuple(signatures)})


@cache
def make_blocks() -> list[bytes]:
    """Return blocks of decisions."""
    return [value for _, value in make_stamped_world().blocks]


def fuzz_audit_block(generator: random.Random) -> int:
    """A block of an audit log: refused, or as many entries as its head says."""
    value = make_input(generator, "audit_block", make_blocks())
    try:
        block = read_block(value)
        decode_entries(value)
    except DecodeError as error:
        return _require_sentence(error)
    assert block.entries
    return 1


@cache
def make_outcome_blocks() -> list[bytes]:
    """Return blocks of outcomes of every kind."""
    rows = [(f"018f3c1e-7b1a-7c3d-8e2f-{number:012d}", make_tag(told)) for number, told in enumerate(TOLD)]
    return [make_block(*rows), make_block(rows[0])]


def fuzz_outcome_block(generator: random.Random) -> int:
    """A block of what became of an agency's items: refused, or read."""
    value = make_input(generator, "outcome_block", make_outcome_blocks())
    try:
        block = read_outcomes(value)
    except DecodeError as error:
        return _require_sentence(error)
    assert len(block.items) <= len(get_codec("outcome_block").decode(value)["rows"])
    return 1


def _list_leaves(container: Any) -> Any:
    """Yield each place in nested lists and mappings: the container, and the key in it."""
    for name in list(container) if isinstance(container, dict) else range(len(container)):
        if isinstance(container[name], dict | list):
            yield from _list_leaves(container[name])
        yield container, name


def _choose_odd(generator: random.Random, value: Any) -> Any:
    if isinstance(value, bytes) and value and generator.random() < 0.6:
        return corrupt_bytes(generator, [value])
    if isinstance(value, list) and value and generator.random() < 0.6:
        return generator.choice([value * 2, value[:-1], value[::-1], [value]])
    return copy.deepcopy(generator.choice(_ODD_PARTS))


def _require_sentence(error: Exception) -> int:
    """Assert that a refusal is one printable sentence."""
    text = str(error)
    assert text
    assert text.isprintable(), text
    assert len(text) < 900
    return 1


AUDIT_TARGETS = (
    FuzzTarget("proofs of entries", 6, fuzz_entry_proof),
    FuzzTarget("records of checkpoints", 8, fuzz_checkpoint_record),
    FuzzTarget("time stamps", 6, fuzz_time_stamp),
    FuzzTarget("partial key statements", 8, fuzz_partial_statement),
    FuzzTarget("blocks of an audit log", 16, fuzz_audit_block),
    FuzzTarget("blocks of outcomes", 16, fuzz_outcome_block),
)
