"""Checkpoints and cosignatures: only the one form, only the right keys, only in their time."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import (
    Checkpoint,
    TreeHead,
    read_checkpoint,
    read_tree_head,
    sign_checkpoint,
    verify_checkpoint,
)
from sharing.audit.cosignature import (
    VerifiedCosignature,
    cosign_checkpoint,
    find_witnessed_at,
    verify_cosignature,
    verify_cosignatures,
)
from sharing.audit.origins import PARTITIONS_MAX, format_origin, format_witness, parse_origin, parse_witness
from sharing.audit.signed_note import SignedNote, read_note, sign_text
from sharing.errors import InputError
from sharing.model.times import DAY_MS, MINUTE_MS
from sharing.model.vocabulary import AuditLogName
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.online_key import Revocation
from tests.audit.audit_fixtures import GATE_KEYS, PLACE, TRUSTED
from tests.audit.test_signed_note import SPECIFIED_CHECKPOINT
from tests.trust.trust_fixtures import NOW, expect_fault, make_signer

ROOT = bytes(range(32))
CHECKPOINT = sign_checkpoint(PLACE, 7, ROOT, NOW, GATE_KEYS["CH"])


def revoke(keys: TrustedKeys, at: int) -> TrustedKeys:
    """Return the keys with the first gate key revoked."""
    key = next(each for each in keys.statement.keys if each.role == "gate")
    revocation = Revocation(key=key.key_id, effective_at=at)
    return replace(keys, statement=keys.statement.model_copy(update={"revocations": (revocation,)}))


def cosign(state: str = "DE", at: int = NOW + 1_000, checkpoint: Checkpoint = CHECKPOINT) -> Checkpoint:
    signed = cosign_checkpoint(checkpoint, state, GATE_KEYS[state], at)
    return replace(checkpoint, note=checkpoint.note.add(signed.signatures))


def test_the_text_of_a_checkpoint() -> None:
    assert CHECKPOINT.note.text == (
        b"ch.sharing/decisions/0\n7\n" + base64.b64encode(ROOT) + b"\ntime 2027-01-15T08:00:00.000Z\n"
    )
    assert read_checkpoint(CHECKPOINT.note.to_bytes()) == CHECKPOINT
    assert verify_checkpoint(CHECKPOINT, TRUSTED["CH"], now=NOW).key_id == GATE_KEYS["CH"].public_key.key_id


def test_the_specified_example_is_a_tree_head() -> None:
    head = read_tree_head(read_note(SPECIFIED_CHECKPOINT).text)
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert head.root.hex().startswith("0ac5186a91863e8e")
    expect_fault(TrustFault.MALFORMED, lambda: read_checkpoint(SPECIFIED_CHECKPOINT))


@pytest.mark.parametrize("log", AuditLogName)
def test_origins(log: AuditLogName) -> None:
    for partition in (0, 7, PARTITIONS_MAX - 1):
        place = LogPlace("CH", log, partition)
        assert parse_origin(format_origin(place)) == place
    assert parse_witness(format_witness("DE")) == "DE"


@pytest.mark.parametrize(
    "text",
    [
        "", "ch.sharing/decisions", "ch.sharing/decisions/00", "CH.sharing/decisions/0", "ch.sharing/other/0",
        "zz.sharing/acts/0", "ch.sharing/acts/100000", "ch.sharing/acts/0\n", "ch.sharing/acts/\u0661",
        "ch.sharing/witness",
    ],
)  # fmt: skip
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(InputError, match="not the origin"):
        parse_origin(text)
    if text != "ch.sharing/witness":
        assert parse_witness(text) is None


@pytest.mark.parametrize(
    "text",
    [
        b"", b"a\n1\n", b"a\n01\n" + base64.b64encode(ROOT) + b"\n", b"a\n-1\n" + base64.b64encode(ROOT) + b"\n",
        b"a\n+1\n" + base64.b64encode(ROOT) + b"\n", b"\n1\n" + base64.b64encode(ROOT) + b"\n",
        b"a\n1\n" + base64.b64encode(ROOT[:31]) + b"\n", b"a\n1\n" + base64.b64encode(ROOT),
        b"a\n1\n" + base64.b64encode(ROOT) + b"\n\n", b"a\n1\n" + base64.b64encode(ROOT)[:-1] + b"\n",
        b"a\n9999999999999\n" + base64.b64encode(ROOT) + b"\n", b"\xff\n1\n" + base64.b64encode(ROOT) + b"\n",
    ],
)  # fmt: skip
def test_what_is_no_tree_head(text: bytes) -> None:
    expect_fault(TrustFault.MALFORMED, lambda: read_tree_head(text))


@pytest.mark.parametrize(
    "extensions",
    [
        (), ("time 2027-01-15T08:00:00.000Z", "more"), ("time 2027-01-15T08:00:00Z",),
        ("time 2027-02-31T08:00:00.000Z",),
        ("when 2027-01-15T08:00:00.000Z",),
    ],
)  # fmt: skip
def test_a_checkpoint_of_a_state_has_its_time(extensions: tuple[str, ...]) -> None:
    text = TreeHead("ch.sharing/decisions/0", 7, ROOT, extensions).to_text()
    note = SignedNote(text, (sign_text(text, "ch.sharing/decisions/0", GATE_KEYS["CH"]),))
    expect_fault(TrustFault.MALFORMED, lambda: read_checkpoint(note.to_bytes()))


def test_impossible_checkpoints_are_not_signed() -> None:
    for size, root, at in ((-1, ROOT, NOW), (2**41, ROOT, NOW), (1, ROOT[:31], NOW), (1, ROOT, 5)):
        with pytest.raises(ValueError, match="a checkpoint has"):
            sign_checkpoint(PLACE, size, root, at, GATE_KEYS["CH"])


def test_no_byte_of_a_checkpoint_can_be_altered() -> None:
    data = CHECKPOINT.note.to_bytes()
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= 1

        def check(altered: bytes = bytes(altered)) -> None:
            verify_checkpoint(read_checkpoint(altered), TRUSTED["CH"], now=NOW)

        with pytest.raises(TrustError):
            check()


def test_whose_signature_counts() -> None:
    def sign(name: str) -> Checkpoint:
        return sign_checkpoint(PLACE, 7, ROOT, NOW, make_signer(name))

    expect_fault(TrustFault.WRONG_STATE, lambda: verify_checkpoint(CHECKPOINT, TRUSTED["DE"], now=NOW))
    for name in ("CH conversation 1", "DE gate 1", "CH gate 2"):
        expect_fault(TrustFault.UNKNOWN_KEY, lambda name=name: verify_checkpoint(sign(name), TRUSTED["CH"], now=NOW))  # type: ignore[misc]
    late = sign_checkpoint(PLACE, 7, ROOT, NOW + 31 * DAY_MS, GATE_KEYS["CH"])
    expect_fault(TrustFault.NOT_YET_VALID, lambda: verify_checkpoint(late, TRUSTED["CH"], now=NOW))
    early = sign_checkpoint(PLACE, 7, ROOT, NOW - DAY_MS, GATE_KEYS["CH"])
    expect_fault(TrustFault.NOT_YET_VALID, lambda: verify_checkpoint(early, TRUSTED["CH"], now=NOW))
    unsigned = replace(CHECKPOINT, note=SignedNote(CHECKPOINT.note.text, ()))
    expect_fault(TrustFault.UNKNOWN_KEY, lambda: verify_checkpoint(unsigned, TRUSTED["CH"], now=NOW))


def test_a_revoked_key_counts_only_for_what_others_saw_before() -> None:
    revoked = revoke(TRUSTED["CH"], NOW + MINUTE_MS)
    now = NOW + 2 * MINUTE_MS
    expect_fault(TrustFault.REVOKED, lambda: verify_checkpoint(CHECKPOINT, revoked, now=now))
    assert verify_checkpoint(CHECKPOINT, revoked, now=now, arrived_at=NOW + 1).role == "gate"
    expect_fault(
        TrustFault.REVOKED, lambda: verify_checkpoint(CHECKPOINT, revoked, now=now, arrived_at=NOW + MINUTE_MS)
    )


def test_a_cosignature_is_an_ed25519_signature_on_time_and_text() -> None:
    (_, signature) = cosign().note.signatures
    assert signature.name == "de.sharing/witness"
    seconds = int.from_bytes(signature.value[:8], "big")
    assert seconds * 1000 == NOW + 1_000
    message = b"cosignature/v1\ntime %d\n" % seconds + CHECKPOINT.note.text
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(GATE_KEYS["DE"].public_key.public))
    public.verify(signature.value[8:], message)
    verified = verify_cosignature(CHECKPOINT.note.text, signature, TRUSTED["DE"], now=NOW + 2_000)
    assert (verified.state, verified.cosigned_at) == ("DE", NOW + 1_000)


def test_what_is_no_cosignature() -> None:
    text, (_, good) = CHECKPOINT.note.text, cosign().note.signatures
    for place in range(len(good.value)):
        altered = bytearray(good.value)
        altered[place] ^= 1
        wrong = replace(good, value=bytes(altered))
        with pytest.raises(TrustError, match="DE"):
            verify_cosignature(text, wrong, TRUSTED["DE"], now=NOW + 2_000)

    def check(fault: TrustFault, **changes: object) -> None:
        keys = changes.pop("keys", TRUSTED["DE"])
        now = changes.pop("now", NOW + 2_000)
        assert isinstance(keys, TrustedKeys)
        assert isinstance(now, int)
        signature = replace(good, **changes)  # type: ignore[arg-type]
        expect_fault(fault, lambda: verify_cosignature(text, signature, keys, now=now))

    check(TrustFault.MALFORMED, name="fr.sharing/witness")
    check(TrustFault.MALFORMED, keys=TRUSTED["FR"])
    check(TrustFault.MALFORMED, value=good.value[8:])
    check(TrustFault.UNKNOWN_KEY, key_id=bytes(4))
    check(TrustFault.NOT_YET_VALID, now=NOW - DAY_MS)
    check(TrustFault.REVOKED, keys=revoke(TRUSTED["DE"], NOW))
    expect_fault(
        TrustFault.BAD_SIGNATURE, lambda: verify_cosignature(text + b"x\n", good, TRUSTED["DE"], now=NOW + 2_000)
    )


def test_no_state_is_its_own_witness() -> None:
    with pytest.raises(ValueError, match="a State cannot cosign its own log"):
        cosign("CH")
    with pytest.raises(ValueError, match="2000 to 2099"):
        cosign("DE", at=5)
    found, faults = verify_cosignatures(cosign("FR", checkpoint=cosign()), TRUSTED, now=NOW + 2_000)
    assert (sorted(found), faults) == (["DE", "FR"], [])
    only, _ = verify_cosignatures(cosign(), {"FR": TRUSTED["FR"]}, now=NOW + 2_000)
    assert only == {}


def test_when_enough_have_cosigned() -> None:
    key = next(each for each in TRUSTED["DE"].statement.keys if each.role == "gate")
    cosignatures = [
        VerifiedCosignature(state, at, key, CHECKPOINT.note.signatures[0])
        for state, at in (("DE", 3), ("FR", 1), ("US", 2))
    ]
    assert [find_witnessed_at(cosignatures, required) for required in range(5)] == [None, 1, 2, 3, None]
