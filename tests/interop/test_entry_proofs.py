"""Proofs of entries of an audit log: what they prove, and that nothing in them can be altered."""

from __future__ import annotations

import base64
import random
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import sign_checkpoint
from sharing.audit.cosignature import cosign_checkpoint
from sharing.audit.origins import parse_witness
from sharing.audit.signed_note import SignedNote
from sharing.errors import SharingError
from sharing.interop.entry_proof_file import EntryProof, is_entry_proof, read_entry_proof
from sharing.interop.entry_proofs import check_entry_proof
from sharing.interop.message_proofs import KeyDocuments
from sharing.interop.proved_keys import prove_keys, unpack_keys
from sharing.interop.signature_files import SignatureFiles, list_entry_signatures
from sharing.model.times import DAY_MS, HOUR_MS, format_time
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.avro_primitives import encode_bytes, encode_long
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.sign.merkle_tree import hash_leaf
from sharing.trust.ceremonies import make_next_root
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.online_key import Revocation
from sharing.trust.public_keys import KeyAlgorithm, KeyRole, PublishedKey
from sharing.trust.root import accept_next_root
from tests.audit.audit_fixtures import (
    GATE_KEYS,
    PLACE,
    make_entry,
    make_id,
    make_pins_and_documents,
    make_proof,
    make_world,
    prove_all,
)
from tests.trust.trust_fixtures import NOW as KEYS_ISSUED
from tests.trust.trust_fixtures import (
    ROOT_KEYS,
    expect_fault,
    find_fault,
    make_keys,
    make_public,
    make_root,
    make_signer,
    resign,
    sign_root,
)

WORLD = make_world()
PINS, DOCUMENTS = make_pins_and_documents()
PROOF = make_proof(WORLD, 4, 3)
NOW = WORLD.now
BYTES_MAX = 4_000
"""How many bytes a proof may have in addition to the entry that it proves."""


def check(proof: EntryProof, pins: Mapping[str, Any] = PINS, now: int = NOW, required: int = 2) -> Any:
    return check_entry_proof(read_entry_proof(proof.encode()), pins, now, required=required)


@pytest.mark.parametrize("number", range(12))
def test_every_entry_of_a_log_is_proved(number: int) -> None:
    for index in (0, 6):
        checked = check(make_proof(WORLD, number, index))
        assert checked.number == number * 7 + index
        assert checked.fields["indicator_id"] == make_id(number * 7 + index)
        assert checked.proof.entry == make_entry(number * 7 + index)
        assert sorted(checked.cosigned_by) == ["DE", "FR"]
        assert checked.witnessed_at == max(checked.cosigned_by.values())


def test_the_file_is_a_tlog_proof() -> None:
    text = PROOF.encode().decode()
    lines = text.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 4"
    assert all(len(base64.b64decode(line)) == 32 for line in lines[3 : lines.index("")])
    assert text.endswith(PROOF.checkpoint.note.to_bytes().decode())
    assert is_entry_proof(PROOF.encode())
    assert read_entry_proof(PROOF.encode()) == PROOF


def make_real_documents() -> dict[str, KeyDocuments]:
    """Return documents as States have them: with a post-quantum seal key."""
    documents = {}
    for state, given in DOCUMENTS.items():
        seal = make_public(f"{state} long seal", KeyAlgorithm.MLKEM768_X25519)

        def change(content: dict[str, Any], seal: PublishedKey = seal) -> None:
            place = next(number for number, key in enumerate(content["keys"]) if key["role"] == "seal")
            content["keys"][place] |= {"algorithm": str(seal.algorithm), "public": seal.public}

        statement = resign(given.statement, change, state)
        documents[state] = KeyDocuments(roots=given.roots, statement=statement)
    return documents


def test_the_whole_file_is_small() -> None:
    """Root version 1 with three keys, two witnesses, one of ten million decisions: 4 kB in addition to the record."""
    proof = replace(PROOF, keys=prove_all(make_real_documents(), PROOF.checkpoint))
    assert check(proof).witnessed_at is not None
    deeper = 20 - len(PROOF.block_path) // 32  # a million blocks of ten decisions
    wider = 10 - len(PROOF.path) // 32  # or ten thousand of a thousand
    largest = max(deeper * len(f"{base64.b64encode(bytes(32)).decode()}\n"), 10 * 45 + wider * 32 * 4 // 3)
    assert len(proof.commitment) == 32, "as a gate with keys writes it"
    assert len(proof.encode()) + largest - len(proof.entry) <= BYTES_MAX


def test_only_keys_that_signed_are_shown() -> None:
    documents = make_real_documents()
    keys = prove_all(documents, PROOF.checkpoint)
    for state, each in keys.items():
        (shown,) = each.statement.shown
        assert shown.role is KeyRole.GATE
        assert each.verify(PINS[state], NOW).statement.keys == (shown,)
        hidden = prove_keys(documents[state], ())
        assert hidden.statement.fold(state) == each.statement.fold(state), "what is signed is the same"
        assert unpack_keys(state, cbor2.loads(cbor2.dumps(each.pack()))) == each
    nobody = replace(PROOF, keys={state: prove_keys(documents[state], ()) for state in documents})
    expect_fault(TrustFault.UNKNOWN_KEY, lambda: check(nobody))


def test_no_part_of_what_proves_a_key_can_be_altered() -> None:
    ch = PROOF.keys["CH"]
    statement, other = ch.statement, PROOF.keys["DE"].statement
    (shown,) = statement.shown
    forged = make_public("a thief")
    thief = shown.model_copy(update={"public": forged.public})
    for change in (
        {"gate_keys": (thief,)}, {"gate_keys": (shown, thief), "gate_places": (0, 1)}, {"gate_places": (1,)},
        {"gate_keys": ()}, {"other_keys": "0" * 64}, {"version": 2}, {"root_version": 1, "issued_at": NOW - 1},
        {"expires_at": statement.expires_at + DAY_MS}, {"signatures": statement.signatures[:1]},
        {"signatures": other.signatures}, {"signatures": (statement.signatures[0],) * 2},
        {"revocations": (Revocation(key=shown.key_id, effective_at=NOW),)},
    ):  # fmt: skip
        altered = replace(ch, statement=statement.model_copy(update=change))
        expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda altered=altered: altered.verify(PINS["CH"], NOW))  # type: ignore[misc]
    for name, value in (("threshold", 1), ("online_days_max", 60), ("keys", ch.root.keys[:2]), ("version", 1 + 1)):
        other_root = replace(ch, root=ch.root.model_copy(update={name: value}))
        fault = find_fault(lambda other=other_root: other.verify(PINS["CH"], NOW))  # type: ignore[misc]
        assert fault is (TrustFault.VERSION_MISSING if name == "version" else TrustFault.NOT_PINNED)
    expect_fault(TrustFault.WRONG_STATE, lambda: PROOF.keys["DE"].verify(PINS["CH"], NOW))


def test_a_later_root_is_followed_from_the_one_that_is_pinned() -> None:
    first, data = make_root()
    change = make_next_root(first, days=365, now=KEYS_ISSUED)
    later = sign_root(change, ROOT_KEYS)
    second = accept_next_root(first, later)
    statement = make_keys(second, prefix="CH ")[1]
    documents = {**DOCUMENTS, "CH": KeyDocuments(roots=[data, later], statement=statement)}
    proof = replace(PROOF, keys=prove_all(documents, PROOF.checkpoint))
    for pin in (first.to_pin(), second.to_pin()):
        assert check(proof, {**PINS, "CH": pin}).keys.root.metadata.version == 2
    cut = replace(proof.keys["CH"], later_roots=())
    assert find_fault(lambda: check(replace(proof, keys={**proof.keys, "CH": cut}))) is not None


EXTRA = PROOF.encode().split(b"\n")[1].removeprefix(b"extra ")
CBOR = zlib.decompress(base64.b64decode(EXTRA))


def with_extra(extra: bytes) -> bytes:
    """Return the file with something else in `extra`."""
    return PROOF.encode().replace(EXTRA, base64.b64encode(zlib.compress(extra)))


def test_a_proof_of_an_unknown_form_says_so() -> None:
    with pytest.raises(TrustError, match="of a form that this program does not know"):
        read_entry_proof(with_extra(cbor2.dumps({**cbor2.loads(CBOR), "format": 3})))


HOSTILE: list[Any] = [
    None, True, -1, 0, 2**53, 2**63, 2**64, 1.5, float("nan"), b"", bytes(31), b"\xff" * 33, "", "\x1b[2J\u202e",
    [], [[]], {}, cbor2.undefined, cbor2.CBORTag(2, b"\xff" * 9), cbor2.CBORTag(4, [10**18, 1]),
    cbor2.CBORTag(35, "(a+)+$"),
]  # fmt: skip
"""Values that stand where others are expected."""


def list_places(value: Any, *place: Any) -> Iterator[tuple[Any, ...]]:
    """Yield where the parts of a value are."""
    yield place
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from list_places(part, *place, name)


@pytest.mark.parametrize("place", list(list_places(cbor2.loads(CBOR))))
def test_whatever_stands_in_a_place_of_the_file_it_is_refused_or_proves_the_same(place: tuple[Any, ...]) -> None:
    whole = check(PROOF)
    for value in HOSTILE:
        fields = cbor2.loads(CBOR)
        holder = fields
        for name in place[:-1]:
            holder = holder[name]
        if place:
            holder[place[-1]] = value
        data = with_extra(cbor2.dumps(fields if place else value, canonical=True))
        try:
            checked = check_entry_proof(read_entry_proof(data), PINS, NOW, required=2)
        except TrustError:
            continue
        assert checked.proof.entry == PROOF.entry
        assert checked.witnessed_at == (whole.witnessed_at if len(checked.cosigned_by) == 2 else None)
        assert checked.cosigned_by.items() <= whole.cosigned_by.items()
        assert (checked.opened, checked.stamped_at) == (None, None)


@pytest.mark.parametrize(
    "extra",
    [CBOR + b"\x00", b"\x81" * 100_000, b"\x9b" + b"\xff" * 8, b"\x5b" + b"\x00" * 3 + b"\xff" * 5,
     b"\xd8\x1c\x81\xd8\x1d\x00", cbor2.dumps({**cbor2.loads(CBOR), "more": 1}, canonical=True),
     cbor2.dumps(dict(reversed(cbor2.loads(CBOR).items()))),
     cbor2.dumps({**cbor2.loads(CBOR), "content": b"x"}, canonical=True)],
    ids=["surplus bytes", "deep", "long list", "long bytes", "cycle", "more", "another order", "content without salt"],
)  # fmt: skip
def test_only_one_form_of_the_extra_part_is_read(extra: bytes) -> None:
    expect_fault(TrustFault.MALFORMED, lambda: read_entry_proof(with_extra(extra)))


def test_changed_line_ends_are_named() -> None:
    data = PROOF.encode().replace(b"\n", b"\r\n")
    assert is_entry_proof(data)
    assert "such as its line ends" in expect_fault(TrustFault.MALFORMED, lambda: read_entry_proof(data))


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_file_that_is_cut_off_or_was_appended_to_says_so(cut: int) -> None:
    for data in (PROOF.encode()[:-cut], PROOF.encode() + b"\n" * cut):
        assert "altered or is cut off" in expect_fault(TrustFault.MALFORMED, lambda data=data: read_entry_proof(data))  # type: ignore[misc]


def test_nothing_can_be_altered() -> None:
    wrong = bytes(32)
    other = make_proof(WORLD, 5, 3)
    altered: list[tuple[TrustFault, EntryProof]] = [
        (TrustFault.CONFLICT, replace(PROOF, entry=make_entry(999))),
        (TrustFault.CONFLICT, replace(PROOF, index=2)),
        (TrustFault.CONFLICT, replace(PROOF, path=wrong + PROOF.path[32:])),
        (TrustFault.CONFLICT, replace(PROOF, path=b"")),
        (TrustFault.CONFLICT, replace(PROOF, number=5)),
        (TrustFault.CONFLICT, replace(PROOF, block_path=wrong + PROOF.block_path[32:])),
        (TrustFault.CONFLICT, replace(PROOF, head=other.head)),
        (TrustFault.CONFLICT, replace(PROOF, checkpoint=make_proof(WORLD, 0, 0).checkpoint)),
    ]
    for fault, proof in altered:
        expect_fault(fault, lambda proof=proof: check(proof))  # type: ignore[misc]


def test_no_byte_of_the_file_can_be_altered() -> None:
    """Whatever byte is altered: the file is refused, or proves the same with fewer cosignatures."""
    data = PROOF.encode()
    rng = random.Random(3)
    whole = check(PROOF)
    for place in {*rng.sample(range(len(data)), 120), *range(len(data) - 700, len(data), 5)}:
        changed = bytearray(data)
        changed[place] ^= 1 << rng.randrange(7)
        try:
            checked = check_entry_proof(read_entry_proof(bytes(changed)), PINS, NOW, required=2)
        except SharingError:
            continue
        assert checked.proof.entry == PROOF.entry
        assert (checked.number, checked.place) == (whole.number, whole.place)
        assert checked.witnessed_at is None or checked.cosigned_by == whole.cosigned_by
        assert checked.not_counted or checked.cosigned_by.keys() <= whole.cosigned_by.keys()


@pytest.mark.parametrize(
    "data",
    [b"", b"c2sp.org/tlog-proof@v1\n", PROOF.encode()[:500], PROOF.encode().replace(b"extra ", b"extra"),
     PROOF.encode().replace(b"index 4", b"index 04"), PROOF.encode().replace(b"index 4", b"index -4"),
     PROOF.encode().replace(b"\nindex", b"\nindex 4\nindex"), b"x" * 8_000_001,
     PROOF.encode().replace(PROOF.encode().split(b"\n")[1], b"extra " + base64.b64encode(zlib.compress(bytes(10**7)))),
     PROOF.encode().replace(PROOF.encode().split(b"\n")[1], b"extra " + base64.b64encode(zlib.compress(b"\xa0")))],
)  # fmt: skip
def test_what_is_no_proof(data: bytes) -> None:
    expect_fault(TrustFault.MALFORMED, lambda: read_entry_proof(data))


def test_only_pinned_states_count() -> None:
    only_ch = {"CH": PINS["CH"]}
    checked = check(PROOF, only_ch)
    assert checked.witnessed_at is None
    assert checked.cosigned_by == {}
    assert sorted(checked.not_counted) == ["DE", "FR"]
    assert "no root of DE is pinned" in checked.not_counted["DE"]
    expect_fault(TrustFault.NOT_PINNED, lambda: check(PROOF, {"DE": PINS["DE"]}))
    expect_fault(TrustFault.NOT_PINNED, lambda: check(PROOF, {**PINS, "CH": replace(PINS["CH"], fingerprint="0" * 64)}))
    expect_fault(TrustFault.VERSION_MISSING, lambda: check(replace(PROOF, keys={"DE": PROOF.keys["DE"]})))
    one = check(PROOF, {state: PINS[state] for state in ("CH", "DE")})
    assert one.witnessed_at is None
    assert check(PROOF, {state: PINS[state] for state in ("CH", "DE")}, required=1).witnessed_at is not None


def test_it_holds_when_all_keys_have_ended_and_not_before_it_was_made() -> None:
    assert check(PROOF, now=NOW + 3000 * DAY_MS).witnessed_at is not None
    expect_fault(TrustFault.NOT_YET_VALID, lambda: check(PROOF, now=NOW - DAY_MS))


def renew(state: str, *, revoked: bool) -> EntryProof:
    """Return the proof with a statement of a State that was issued a day later."""

    def change(content: dict[str, Any]) -> None:
        content["issued_at"] = format_time(NOW + DAY_MS)
        gate = next(key for key in content["keys"] if key["role"] == "gate")
        key = PublishedKey(algorithm=KeyAlgorithm.ED25519, public=gate["public"]).key_id
        if revoked:
            content["revocations"] = [{"key": key, "effective_at": format_time(NOW + HOUR_MS)}]

    documents = DOCUMENTS[state]
    statement = resign(documents.statement, change, state)
    newer = KeyDocuments(roots=documents.roots, statement=statement)
    return replace(PROOF, keys=prove_all({**DOCUMENTS, state: newer}, PROOF.checkpoint))


def test_a_newer_statement_of_keys_says_what_became_of_them() -> None:
    later = NOW + 2 * DAY_MS
    for state in ("CH", "DE"):
        assert check(renew(state, revoked=False), now=later).witnessed_at is not None
    # The key of the State was revoked after others had cosigned; that of a witness claims its time itself.
    assert check(renew("CH", revoked=True), now=later).witnessed_at is not None
    checked = check(renew("DE", revoked=True), now=later)
    assert (checked.witnessed_at, sorted(checked.cosigned_by)) == (None, ["FR"])
    assert "was revoked" in checked.not_counted["DE"]


def test_forged_signatures_do_not_count() -> None:
    checkpoint = PROOF.checkpoint
    own, first, second = checkpoint.note.signatures

    def make(*signatures: Any) -> EntryProof:
        return replace(PROOF, checkpoint=replace(checkpoint, note=SignedNote(checkpoint.note.text, signatures)))

    expect_fault(TrustFault.BAD_SIGNATURE, lambda: check(make(replace(own, value=bytes(64)), first, second)))
    expect_fault(TrustFault.UNKNOWN_KEY, lambda: check(make(first, second)))
    assert check(make(own, first, replace(second, value=second.value[:8] + bytes(64)))).witnessed_at is None
    by_another = cosign_checkpoint(checkpoint, "DE", make_signer("DE directory 1"), NOW).signatures[0]
    assert check(make(own, by_another)).cosigned_by == {}
    late = cosign_checkpoint(checkpoint, "DE", GATE_KEYS["DE"], NOW + HOUR_MS).signatures[0]
    assert "impossible time" in check(make(own, late)).not_counted["DE"]
    assert check(make(own, late), now=NOW + 2 * HOUR_MS).cosigned_by == {"DE": (NOW + HOUR_MS) // 1000 * 1000}
    twice = replace(first, key_id=first.key_id[::-1])
    assert check(make(own, twice, first)).cosigned_by.keys() == {parse_witness(first.name)}


def test_openssl_verifies_every_signature_without_this_program(tmp_path: Path) -> None:
    signatures = list_entry_signatures(check(PROOF))
    names = {each.name.split("-")[1] for each in signatures}
    assert names == {"root", "gate", "keys", "checkpoint", "cosignature"}
    assert len([each for each in signatures if each.name.endswith("cosignature")]) == 2
    for signature in signatures:
        for name, content in signature.list_contents():
            (tmp_path / name).write_bytes(content)
        done = subprocess.run(signature.format_command(tmp_path), shell=True, capture_output=True, check=False)  # noqa: S602
        assert done.returncode == 0, done
    last = signatures[-1]
    assert isinstance(last, SignatureFiles)
    (tmp_path / last.paths[0]).write_bytes(b"altered")
    command = last.format_command(tmp_path)
    assert subprocess.run(command, shell=True, capture_output=True, check=False).returncode != 0  # noqa: S602


def test_an_act_is_proved_as_well() -> None:
    world = make_world(batches=4, place=LogPlace("CH", AuditLogName.ACTS, 2))
    checked = check(make_proof(world, 2, 1), now=world.now)
    assert checked.place == world.place
    assert (checked.fields["kind"], checked.fields["item_id"]) == ("RECEIPT_RECORDED", make_id(15))
    assert checked.witnessed_at is not None


def sign_alone(entry: bytes = PROOF.entry, **head: Any) -> EntryProof:
    """Return the proof of an entry in a log of one block, which State and witnesses have signed whatever it says."""
    fields = {
        "state": "CH", "log": "DECISIONS", "partition": PLACE.partition, "number": 0, "first": 0, "written_at": NOW,
        "previous": bytes(32), "message_roots": [], "count": 1, "root": hash_leaf(entry), "salt_nonce": b"", **head,
    }  # fmt: skip
    codec = get_codec("audit_block")
    tail = encode_long(0) + encode_bytes(b"")
    encoded = codec.encode({**fields, "entries": [], "commitments": b""}).removesuffix(tail)
    checkpoint = sign_checkpoint(PLACE, 1, hash_leaf(encoded[HEADER_LENGTH:]), NOW, GATE_KEYS["CH"])
    for state in ("DE", "FR"):
        cosigned = cosign_checkpoint(checkpoint, state, GATE_KEYS[state], NOW)
        checkpoint = replace(checkpoint, note=checkpoint.note.add(cosigned.signatures))
    return EntryProof(entry, 0, b"", encoded, 0, b"", checkpoint, prove_all(DOCUMENTS, checkpoint))


def test_what_a_state_should_not_have_signed_is_refused_in_one_sentence() -> None:
    assert check(sign_alone()).witnessed_at is not None
    far = 2**62
    for proof, sentence in (
        (sign_alone(first=-1), "contradicts itself"),
        (replace(sign_alone(salt_nonce=b"x"), commitment=bytes(32)), "contradicts itself"),
        (sign_alone(written_at=far), "has the head of a block that cannot be read"),
        (sign_alone(count=2), "the entry is not in its block"),
        (sign_alone(number=1), "or of another block"),
        (sign_alone(b""), "has an entry that cannot be read"),
        (sign_alone(PROOF.entry + b"x"), "has an entry that cannot be read"),
        (sign_alone(PROOF.entry[:-1]), "has an entry that cannot be read"),
        (sign_alone(get_codec("act").header + PROOF.entry[HEADER_LENGTH:]), "has an entry that cannot be read"),
    ):
        with pytest.raises(TrustError, match=sentence):
            check(proof)


def test_what_cannot_be_read_is_refused() -> None:
    for proof in (
        replace(PROOF, head=PROOF.head[:10] + b"\x00" + PROOF.head[11:]),
        replace(PROOF, head=PROOF.head[10:]),
        replace(PROOF, head=PROOF.head + b"\x02"),
        replace(PROOF, head=b""),
    ):
        expect_fault(TrustFault.MALFORMED, lambda proof=proof: check(proof))  # type: ignore[misc]
