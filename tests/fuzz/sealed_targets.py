"""Fuzz targets for what is sealed and signed: one documented refusal, and nothing but the original is accepted.

Three kinds of input: bytes that are corrupted anywhere; records in which a field has an odd value, such as a negative
number; and documents with such a value that the right keys have signed, which only the content can betray.
"""

from __future__ import annotations

import copy
import io
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import cbor2
import fastavro

from sharing.directory.statement import decode_statement, read_entry, verify_statement
from sharing.errors import DecodeError
from sharing.interop.cose import read_file, sign_file
from sharing.interop.message_proofs import Arrival, KeyDocuments, MessageProof, check_proof, sign_proof
from sharing.model.vocabulary import MessageKind
from sharing.seal.counts import sign_counts, verify_counts
from sharing.seal.envelope import Stream, decode_envelope
from sharing.seal.faults import SealError
from sharing.seal.inbox_opening import InboxOpener
from sharing.seal.indicators import IndicatorOpener, IndicatorSealer
from sharing.seal.message_content import decode_content
from sharing.seal.message_proof import export_message_key
from sharing.seal.opening import MessageOpener
from sharing.seal.rulings import open_ruling, seal_ruling
from sharing.seal.sealed_record import decode_record, get_header
from sharing.serialization.avro_primitives import LONG_MAX, LONG_MIN, encode_long
from sharing.serialization.codec import get_codec
from sharing.trust.canonical import encode_canonical
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import verify_key_statement
from sharing.trust.public_keys import KeyRole
from sharing.trust.readers import change_readers, sign_readers, verify_readers
from sharing.trust.root import accept_pinned_root
from sharing.trust.signatures import ObjectKind
from sharing.trust.verification import sign_object
from tests.directory.signed_states import SignedState
from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.mutation import corrupt_bytes, corrupt_tree
from tests.seal import test_inbox_items as inbox
from tests.seal import test_own_records as own_records
from tests.seal.seal_fixtures import (
    GATE,
    OPENING_KEYS,
    TRUSTED,
    make_message,
    make_opening_key,
    make_sealer,
    seal,
)
from tests.seal.test_message_content import make_record
from tests.trust.test_readers import make_reader
from tests.trust.trust_fixtures import DAY, NOW, make_signer, resign

ODD_NUMBERS = (
    -1, -2, -64, -65, -(2**31), -(2**31) - 1, -(2**53), LONG_MIN, 0, 1, 2**31, 2**32, 2**53, LONG_MAX,
    NOW, -NOW, NOW + 100 * 365 * DAY,
)  # fmt: skip
SEAL_KEY = OPENING_KEYS["DE"]
INDICATOR_KEY = b"0190a5b0-0000-7000-8000-000000000001"
OWN_SEAL_KEY = make_opening_key("seal CH")
REFUSALS = (SealError, DecodeError, TrustError)


def corrupt_record(generator: random.Random, schema: str, seeds: list[bytes]) -> bytes:
    """Return a record in which one field has an odd value; of integers, most often a negative one."""
    codec = get_codec(schema)
    record = codec.decode(generator.choice(seeds))
    fields = list(_list_fields(record))
    container, name = generator.choice(fields)
    value = container[name]
    container[name] = _choose_odd(generator, value)
    try:
        return codec.encode(record)
    except (ValueError, OverflowError):  # it has no form on the wire
        container[name] = value
        return corrupt_bytes(generator, [codec.encode(record)])


def _list_fields(container: Any) -> Any:
    names = container if isinstance(container, dict) else range(len(container))
    for name in names:
        value = container[name]
        if isinstance(value, dict | list):
            yield from _list_fields(value)
        else:
            yield container, name


def _choose_odd(generator: random.Random, value: Any) -> Any:
    if isinstance(value, bytes):
        return corrupt_bytes(generator, [value]) if generator.random() < 0.7 else generator.randbytes(len(value))
    if isinstance(value, str):
        return generator.choice(["", "CH", "FR", "\x00", "é" * 40, value * 2, value.lower(), "OFFER", "urgent"])
    return generator.choice(ODD_NUMBERS)


def make_input(generator: random.Random, schema: str, seeds: list[bytes]) -> bytes:
    """Return an input: corrupted bytes, or a record with an odd value in a field."""
    if generator.random() < 0.5:
        return corrupt_bytes(generator, seeds)
    return corrupt_record(generator, schema, seeds)


@cache
def make_messages() -> list[bytes]:
    """Return sealed messages of several batches, kinds and topics, to DE and to FR."""
    urgent, offers = Stream("gate", NOW - 9, 0, "urgent"), Stream("gate", NOW - 9, 2, "offers")
    replies = Stream("gate", NOW - 9, 1, "replies")
    contents: list[tuple[bytes, dict[str, Any]]] = [
        (make_record("notice"), {}),
        (make_record("notice", urgency="EMERGENCY"), {"stream": urgent}),
        (make_record("offer"), {"stream": offers, "kind": MessageKind.OFFER}),
        (make_record("reply"), {"stream": replies, "kind": MessageKind.REPLY}),
        (make_record("reply", urgency="URGENT"), {"stream": urgent, "kind": MessageKind.REPLY}),
    ]
    batch = [make_message(1, "DE", content=content, **fields) for content, fields in contents]
    return [*seal(*batch), *seal(make_message(1, "FR", content=contents[0][0]), batch[0], sealer=make_sealer(seed=2))]


WARM = MessageOpener("DE")
DE_KEYS = {SEAL_KEY.public_key.key_id: SEAL_KEY}


def fuzz_sealed_message(generator: random.Random) -> int:
    """A sealed message: verified and opened only if it is one of the originals, bit for bit."""
    value = make_input(generator, "sealed_message", make_messages())
    opener = WARM if generator.random() < 0.5 else MessageOpener("DE")
    topic = generator.choice([None, "notices", "urgent", "offers", "replies"])
    try:
        verified = opener.verify(value, TRUSTED, NOW, topic=topic)
        decode_content(verified.envelope, opener.open(verified, DE_KEYS))
    except REFUSALS as error:
        _require_sentence(error)
        return 1
    assert value in make_messages()
    return 1


def fuzz_envelope(generator: random.Random) -> int:
    """The envelope of a sealed message: its bytes are encoded again to what was read, with any number in it."""
    value = make_input(generator, "sealed_message", make_messages())
    try:
        envelope, end = decode_envelope(value, len(get_header()))
    except SealError as error:
        _require_sentence(error)
        return 1
    assert len(get_header()) < end <= len(value)
    assert envelope.sequence >= 1 <= envelope.partition + 1
    assert envelope.stream.began_at > 0
    return 1


@cache
def make_indicators() -> list[bytes]:
    """Return sealed indicators of two publishers."""
    return [
        IndicatorSealer("CH", random.Random(seed).randbytes).seal_indicator(
            INDICATOR_KEY, b"\xc3\x01 content %d" % seed, OWN_SEAL_KEY.public_key, NOW
        )
        for seed in (1, 2)
    ]


INDICATOR_OPENER = IndicatorOpener("CH")


def fuzz_sealed_indicator(generator: random.Random) -> int:
    """A sealed indicator: opened only if it is one of the originals under its own key; nothing is raised."""
    value = make_input(generator, "sealed_indicator", make_indicators())
    key = INDICATOR_KEY if generator.random() < 0.9 else generator.choice([None, b"", generator.randbytes(36)])
    opener = INDICATOR_OPENER if generator.random() < 0.5 else IndicatorOpener("CH")
    opened, refused = opener.open_values([value], [key], {OWN_SEAL_KEY.public_key.key_id: OWN_SEAL_KEY})
    if refused:
        assert opened == [None]
        _require_sentence(refused[0])
    else:
        assert value in make_indicators()
        assert key == INDICATOR_KEY
    return 1


@cache
def make_sealed_rulings() -> list[bytes]:
    """Return sealed rulings to CH, and one to DE."""
    return [
        seal_ruling(b"\xc3\x01 ruling %d" % seed, state, OWN_SEAL_KEY.public_key, random.Random(seed).randbytes, NOW)
        for seed, state in enumerate(("CH", "CH", "DE"))
    ]


def fuzz_sealed_ruling(generator: random.Random) -> int:
    """A sealed ruling: opened only if it is one of the originals; otherwise refused in one sentence."""
    value = make_input(generator, "sealed_ruling", make_sealed_rulings())
    try:
        opened = open_ruling(value, "CH", {OWN_SEAL_KEY.public_key.key_id: OWN_SEAL_KEY})
    except SealError as error:
        _require_sentence(error)
        return 1
    assert value in make_sealed_rulings()[:2]
    assert opened.record.startswith(b"\xc3\x01 ruling")
    return 1


@cache
def make_own_records() -> list[bytes]:
    """Return own records: drafts."""
    return [own_records.seal_draft(own_records.make_sealer(), b"item/%d" % number, b"draft") for number in (1, 2)]


def fuzz_own_record(generator: random.Random) -> int:
    """A State's own record: opened only if it is the original."""
    value = make_input(generator, "own_record", make_own_records())
    try:
        own_records.open_draft(value)
    except SealError as error:
        _require_sentence(error)
        return 1
    # Where Avro has several forms of one number, another form of the same record opens to the same draft.
    assert get_codec("own_record").encode(get_codec("own_record").decode(value)) == make_own_records()[0]
    return 1


@cache
def make_items() -> list[bytes]:
    """Return items of an inbox."""
    return inbox.seal(inbox.make_received(1), inbox.make_received(2))


def fuzz_inbox_item(generator: random.Random) -> int:
    """An item of an inbox: opened only if content and envelope are those of an original."""
    value = make_input(generator, "inbox_item", make_items())
    try:
        opened = InboxOpener("CH", inbox.CASES).open(value, inbox.KEYS, NOW)
    except SealError as error:
        _require_sentence(error)
        return 1
    originals = [inbox.open_item(item) for item in make_items()]
    assert opened in originals
    return 1


COUNTS = [(Stream("gate", NOW - 9, 1, "notices"), 7), (Stream("gate", NOW - 9, 0, "urgent"), 2)]


def fuzz_count_statement(generator: random.Random) -> int:
    """A count statement: accepted only if the gate has signed it and each number in it can be."""
    original = sign_counts("CH", "DE", COUNTS, GATE, NOW)
    if generator.random() < 0.4:
        value = corrupt_bytes(generator, [original])
    else:
        signed = _corrupt_json(generator, json.loads(original)["signed"])
        payload = _encode_or_none(signed)
        if payload is None:
            return 0
        signature = sign_object(ObjectKind.COUNTS, "CH", payload, GATE)
        signature_part = {"algorithm": signature.algorithm, "key": signature.key, "value": signature.value.hex()}
        value = encode_canonical({"signature": signature_part, "signed": signed})
    try:
        statement = verify_counts(value, "DE", TRUSTED, NOW)
    except SealError as error:
        _require_sentence(error)
        return 1
    assert all(item.last >= 1 <= item.partition + 1 and item.began_at > 0 for item in statement.streams)
    return 1


@cache
def make_state() -> SignedState:
    """Return a State that has announced an entry."""
    state = SignedState("CH")
    state.announce()
    return state


def fuzz_directory_statement(generator: random.Random) -> int:
    """A directory statement: an entry only from what the directory key has signed, with numbers that can be."""
    state = make_state()
    assert state.last is not None
    original = get_codec("directory_statement").header + state.last.encode()
    value = make_input(generator, "directory_statement", [original])
    if generator.random() < 0.5:  # signed by the right key
        payload = make_input(generator, "directory_statement_content", [state.last.payload])
        signature = sign_object(ObjectKind.DIRECTORY_ENTRY, "CH", payload, state.get_signer(KeyRole.DIRECTORY))
        record = {
            "payload": payload, "algorithm": signature.algorithm, "key": signature.key, "signature": signature.value,
        }  # fmt: skip
        value = get_codec("directory_statement").encode(record)
    try:
        statement = decode_statement(value)
        verify_statement(state.keys, statement, NOW)
        read_entry(statement)
    except TrustError as error:
        _require_sentence(error)
        return 1
    content = statement.content
    assert min(content.announcement, content.sequence, content.key_statement) >= 1
    assert content.state == "CH"
    return 1


@cache
def make_readers() -> bytes:
    """Return a signed list of readers."""
    content = change_readers("CH", None, added=[make_reader("desk"), make_reader("cases")], now=NOW)
    return sign_readers(content, make_signer(f"CH{KeyRole.REGISTRAR} 1")).to_bytes()


def fuzz_signed_documents(generator: random.Random) -> int:
    """Roots, key statements and lists of readers: refused, or what their keys have signed, in any place any value."""
    state = make_state()
    readers: Mapping[str, tuple[bytes, Callable[[bytes], object]]] = {
        "root": (state.root_data, lambda data: accept_pinned_root(state.pin, data)),
        "keys": (state.keys_data, lambda data: verify_key_statement(state.root, data, previous=state.keys)),
        "readers": (make_readers(), lambda data: verify_readers(state.keys, data, now=NOW)),
    }
    name = generator.choice(list(readers))
    original, read = readers[name]
    if generator.random() < 0.4:
        value = corrupt_bytes(generator, [original])
    elif name == "readers":
        signed = _corrupt_json(generator, json.loads(original)["signed"])
        payload = _encode_or_none(signed)
        if payload is None:
            return 0
        key = make_signer(f"CH{KeyRole.REGISTRAR} 1")
        signature = sign_object(ObjectKind.READERS, "CH", payload, key)
        value = encode_canonical(
            {"signatures": [{"key": signature.key, "signature": signature.value.hex()}], "signed": signed}
        )
    else:
        changed = _corrupt_json(generator, json.loads(original)["signed"])
        if not isinstance(changed, dict) or _encode_or_none({**changed, "kind": name}) is None:
            return 0
        value = resign(original, lambda signed: _replace_content(signed, {**changed, "kind": name}))
    try:
        read(value)
    except TrustError as error:
        _require_sentence(error)
        return 1
    if name == "root":
        assert json.loads(value)["signed"] == json.loads(original)["signed"]  # it may have fewer signatures
    return 1


def _replace_content(signed: dict[str, Any], content: dict[str, Any]) -> None:
    signed.clear()
    signed.update(content)


@cache
def make_proof() -> bytes:
    """Return the file that proves a message to DE."""
    sender, exporter = SignedState("CH"), SignedState("DE")
    value = seal(
        make_message(1, content=make_record("notice")), signer=sender.get_signer(KeyRole.GATE)
    )[0]  # fmt: skip
    opener = MessageOpener("DE")
    verified = opener.verify(value, {"CH": sender.keys}, NOW)
    proof = MessageProof(
        state="DE",
        exported_at=NOW,
        arrival=Arrival(topic="exchange.de.notices", partition=0, offset=1, arrived_at=NOW),
        record=value,
        message_key=export_message_key(opener, verified, DE_KEYS),
        sender=KeyDocuments(roots=[sender.root_data], statement=sender.keys_data),
        exporter=KeyDocuments(roots=[exporter.root_data], statement=exporter.keys_data),
    )
    return sign_proof(proof, exporter.get_signer(KeyRole.DESK))


@cache
def make_pins() -> Mapping[str, Any]:
    """Return the pinned roots of the two States in the proof."""
    return {state: SignedState(state).pin for state in ("CH", "DE")}


def fuzz_proof(generator: random.Random) -> int:
    """An exported proof: accepted only if it is the original, also if its exporter signs another content."""
    if generator.random() < 0.5:
        value = corrupt_bytes(generator, [make_proof()])
    else:
        content: Any = cbor2.loads(read_file(make_proof()).payload)
        container, name = generator.choice(list(_list_fields(content)))
        container[name] = _choose_odd(generator, container[name])
        value = _sign_content(content)
    try:
        checked = check_proof(value, make_pins(), NOW)
    except REFUSALS as error:
        _require_sentence(error)
        return 1
    original = check_proof(make_proof(), make_pins(), NOW)
    assert (checked.envelope, checked.content) == (original.envelope, original.content)
    return 1


def _sign_content(content: Any) -> bytes:
    key = make_signer(f"DE{KeyRole.DESK} 1")
    return sign_file(ObjectKind.EXPORT, "DE", cbor2.dumps(content, canonical=True), key)


def fuzz_encoders(generator: random.Random) -> int:
    """Encoders with any number, negative ones too: the record that a reader reads, or one refusal; never a loop."""
    numbers = [generator.choice(ODD_NUMBERS) if generator.random() < 0.7 else generator.getrandbits(63)] * 3
    sign = generator.choice([1, 1, -1])
    first, second, third = (max(LONG_MIN, sign * number) for number in numbers)
    if LONG_MIN <= first <= LONG_MAX:
        assert fastavro.schemaless_reader(io.BytesIO(encode_long(first)), "long", None) == first
    field = generator.choice(["sent_at", "sequence", "stream", "now"])
    changes: dict[str, Any] = {field: first} if field in {"sent_at", "sequence"} else {}
    if field == "stream":
        changes = {"stream": Stream("gate", *generator.choice([(first, 0), (NOW, second), (first, third)]), "notices")}
    received = inbox.make_received(1)
    encoders: tuple[Callable[[], object], ...] = (
        lambda: [
            decode_record(value) for value in seal(make_message(1, **changes), now=first if field == "now" else NOW)
        ],
        lambda: IndicatorSealer("CH", generator.randbytes).seal_indicator(
            INDICATOR_KEY, b"x", OWN_SEAL_KEY.public_key, first
        ),
        lambda: own_records.seal_draft(own_records.make_sealer(now=first), b"item/1", b"draft", first),
        lambda: inbox.seal(received, sealer=inbox.make_sealer(), now=first),
        lambda: inbox.seal(replace(received, received_at=first), sealer=inbox.make_sealer()),
        lambda: sign_counts("CH", "DE", [(Stream("gate", first, 0, "notices"), second)], GATE, third),
    )
    try:
        generator.choice(encoders)()
    except (SealError, ValueError) as error:  # a ValueError: a count or a time that no stream has
        _require_sentence(error)
    return 1


def _corrupt_json(generator: random.Random, tree: Any) -> Any:
    """Return a copy of a JSON tree with an odd value; every integer and every instant gets negative ones, too."""
    if generator.random() < 0.5:
        return corrupt_tree(generator, tree)
    changed = copy.deepcopy(tree)
    container, name = generator.choice(list(_list_fields(changed)))
    value = container[name]
    is_instant = isinstance(value, str) and value.endswith("Z")
    if is_instant and generator.random() < 0.5:
        container[name] = generator.choice([
            "1969-12-31T23:59:59.999Z", "-001-01-01T00:00:00.000Z", "2099-12-31T23:59:59.999Z",
            "2027-13-01T00:00:00.000Z",
        ])  # fmt: skip
    elif is_instant:
        container[name] = generator.choice(ODD_NUMBERS)
    else:
        container[name] = _choose_odd(generator, value)
    return changed


def _encode_or_none(value: Any) -> bytes | None:
    try:
        encode_canonical({"signed": value})
        return encode_canonical(value)
    except (ValueError, RecursionError):  # it has no canonical form, so nobody can have signed it
        return None


def _require_sentence(error: Exception) -> None:
    """Assert that a refusal is one printable sentence."""
    text = str(error)
    assert text
    assert "Traceback" not in text
    assert len(text) < 900


SEALED_TARGETS = (
    FuzzTarget("sealed messages", 20, fuzz_sealed_message),
    FuzzTarget("envelopes of sealed messages", 20, fuzz_envelope),
    FuzzTarget("sealed indicators", 20, fuzz_sealed_indicator),
    FuzzTarget("sealed rulings", 20, fuzz_sealed_ruling),
    FuzzTarget("own records", 20, fuzz_own_record),
    FuzzTarget("inbox items", 16, fuzz_inbox_item),
    FuzzTarget("count statements", 16, fuzz_count_statement),
    FuzzTarget("directory statements", 16, fuzz_directory_statement),
    FuzzTarget("roots, key statements, lists of readers", 16, fuzz_signed_documents),
    FuzzTarget("exported proofs", 8, fuzz_proof),
    FuzzTarget("encoders with any number", 16, fuzz_encoders),
)
