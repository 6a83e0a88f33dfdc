"""Signed notes: published notes and keys, and what is no note."""

from __future__ import annotations

import base64

import pytest
from pydantic import SecretBytes

from sharing.audit.cosignature import build_cosigned_message, read_cosigned_at
from sharing.audit.signed_note import (
    ED25519_SIGNATURE,
    NOTE_BYTES_MAX,
    TIMESTAMPED_COSIGNATURE,
    NoteSignature,
    SignedNote,
    compute_key_id,
    read_note,
    read_signature_line,
    sign_text,
)
from sharing.trust.faults import TrustFault
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.signatures import MemorySigningKey, is_signature_by
from tests.trust.trust_fixtures import expect_fault, make_signer

# The key and the note of the tests of golang.org/x/mod/sumdb/note.
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_PUBLIC = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
GO_TEXT = (
    b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)  # fmt: skip
GO_LINE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)

# The examples of C2SP signed-note and tlog-cosignature, whose keys are not published.
SPECIFIED_NOTE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "\u2014 quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()
SPECIFIED_CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()


def test_the_published_note_of_the_go_library() -> None:
    key = MemorySigningKey(SecretBytes(GO_SEED))
    assert bytes.fromhex(key.public_key.public) == GO_PUBLIC
    assert compute_key_id("PeterNeumann", ED25519_SIGNATURE, key.public_key).hex() == "c74f20a3"
    signature = sign_text(GO_TEXT, "PeterNeumann", key)
    assert signature.to_line() == GO_LINE + "\n"
    note = SignedNote(GO_TEXT, (signature,))
    assert read_note(note.to_bytes()) == note
    assert is_signature_by(key.public_key, note.signatures[0].value, GO_TEXT)


def test_the_key_id_of_a_published_witness() -> None:
    """A key of the tests of github.com/transparency-dev/formats."""
    public = base64.b64decode("BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2")
    assert public[0] == TIMESTAMPED_COSIGNATURE
    key = PublishedKey(algorithm=KeyAlgorithm.ED25519, public=public[1:].hex())
    assert compute_key_id("remora.n621.de", TIMESTAMPED_COSIGNATURE, key).hex() == "da77ade7"


def test_the_examples_of_the_specifications() -> None:
    note = read_note(SPECIFIED_NOTE)
    assert note.text.decode().endswith("\n\ned è subito sera.\n")
    assert [each.name for each in note.signatures] == ["quasimodo.example/salvatore"]
    assert note.to_bytes() == SPECIFIED_NOTE
    checkpoint = read_note(SPECIFIED_CHECKPOINT)
    assert checkpoint.to_bytes() == SPECIFIED_CHECKPOINT
    log, witness = checkpoint.signatures
    assert read_cosigned_at(log) is None
    assert read_cosigned_at(witness) == 1_679_315_147_000
    assert build_cosigned_message(checkpoint.text, 1_679_315_147) == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"\n\n",
        SPECIFIED_NOTE[:-1],
        SPECIFIED_NOTE + b"\n",
        SPECIFIED_NOTE + b"trailing",
        SPECIFIED_NOTE.replace(b"sole", b"so\x00e"),
        SPECIFIED_NOTE.replace(b"sole", b"so\xffe"),
        SPECIFIED_NOTE.replace(b"\n", b"\r\n"),
        SPECIFIED_NOTE.replace("\u2014".encode(), b"-"),
        SPECIFIED_NOTE.replace(b"quasimodo.example/salvatore", b"a+b"),
        SPECIFIED_NOTE.replace(b"quasimodo.example/salvatore", b""),
        SPECIFIED_NOTE.replace(b"quasimodo.example/salvatore", "a\u00a0b".encode()),
        SPECIFIED_NOTE.replace(b"NnugSz", b"Nnug*z"),
        SPECIFIED_NOTE.replace(b"NtIc=", b"NtId="),
        SPECIFIED_NOTE + SPECIFIED_NOTE.split(b"\n\n")[-1],
        b"x" * NOTE_BYTES_MAX + SPECIFIED_NOTE,
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    expect_fault(TrustFault.MALFORMED, lambda: read_note(data))


def test_too_many_signatures() -> None:
    lines = tuple(NoteSignature(f"a{number}", bytes(4), bytes(64)) for number in range(33))
    assert read_note(SignedNote(b"text\n", lines[:32]).to_bytes()).signatures == lines[:32]
    expect_fault(TrustFault.MALFORMED, lambda: read_note(SignedNote(b"text\n", lines).to_bytes()))


@pytest.mark.parametrize(
    "line", ["", "\u2014 ", "\u2014 name", "\u2014 name AAAA", "name AAAAAAAA", "\u2014 a  AAAAAAAA"]
)
def test_what_is_no_signature(line: str) -> None:
    expect_fault(TrustFault.MALFORMED, lambda: read_signature_line(line))


def test_signatures_are_added_once_by_key() -> None:
    one, two = (sign_text(b"text\n", name, make_signer("a")) for name in ("one", "two"))
    note = SignedNote(b"text\n", (one,))
    assert note.add([two, one]).signatures == (one, two)
    forged = NoteSignature("one", one.key_id, bytes(64))
    assert note.add([forged]).signatures == (one,)
