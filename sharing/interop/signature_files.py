"""The signatures in a proof as files that OpenSSL verifies, without any program of this project.

For each signature there are three files: what was signed, byte for byte; the signature; and the public key in PEM.
With them, `openssl pkeyutl -verify -pubin -inkey KEY -rawin -in SIGNED -sigfile SIGNATURE` verifies it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sharing.audit.cosignature import build_cosigned_message, read_cosigned_at
from sharing.audit.origins import parse_witness
from sharing.audit.signed_note import ED25519_SIGNATURE, TIMESTAMPED_COSIGNATURE, compute_key_id
from sharing.interop.entry_proofs import CheckedEntry
from sharing.interop.message_proofs import CheckedProof, KeyDocuments
from sharing.interop.proved_keys import ProvedKeys
from sharing.seal.message_proof import compute_batch_statement
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import build_signed_message, read_document
from sharing.trust.key_statement import KeyStatement, TrustedKeys
from sharing.trust.public_keys import PublishedKey
from sharing.trust.root import RootMetadata
from sharing.trust.signatures import SIGNATURE_BYTES, ObjectKind, build_message


@dataclass(frozen=True, slots=True)
class SignatureFiles:
    """One signature.

    Attributes:
        name: What the names of its files begin with.
        signed: What was signed.
        signature: The signature.
        key: The public key.
    """

    name: str
    signed: bytes
    signature: bytes
    key: PublishedKey

    @property
    def paths(self) -> tuple[str, str, str]:
        """The names of the files: what was signed, the signature, the public key."""
        return f"{self.name}.signed", f"{self.name}.signature", f"{self.name}.pem"

    def format_command(self, folder: Path) -> str:
        """Return the command that verifies it."""
        signed, signature, key = (shlex.quote(str(folder / name)) for name in self.paths)
        return f"openssl pkeyutl -verify -pubin -inkey {key} -rawin -in {signed} -sigfile {signature}"

    def list_contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of each file."""
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key.public))
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        yield from zip(self.paths, (self.signed, self.signature, pem), strict=True)


@dataclass(frozen=True, slots=True)
class DigestFile:
    """A file whose SHA-256 is known: of a root, by the fingerprint on paper; of a key, by what root keys signed.

    Attributes:
        name: Name of the file.
        content: Its content.
    """

    name: str
    content: bytes

    def format_command(self, folder: Path) -> str:
        """Return the command that shows its SHA-256."""
        return f"openssl dgst -sha256 {shlex.quote(str(folder / self.name))}"

    def list_contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of the file."""
        yield self.name, self.content


def list_signatures(checked: CheckedProof) -> list[SignatureFiles]:
    """Return every signature on which a proof rests: roots, key statements, the batch, and the file itself."""
    proof = checked.proof
    signatures = [
        *_list_document_signatures(checked.sender.state, proof.sender),
        *_list_document_signatures(proof.state, proof.exporter),
    ]
    statement, part = compute_batch_statement(proof.record)
    sender, signer = checked.envelope.from_state, checked.envelope.signer
    message = build_message(ObjectKind.NOTICES, sender, statement)
    signatures.append(
        SignatureFiles(f"{sender.lower()}-batch", message, part.signature, _find_key(checked.sender, signer))
    )
    file = checked.file
    signatures.append(
        SignatureFiles(
            f"{proof.state.lower()}-export",
            file.build_signed_bytes(ObjectKind.EXPORT, proof.state),
            file.signature,
            _find_key(checked.exporter, file.key_id),
        )
    )
    return signatures


def list_entry_signatures(checked: CheckedEntry) -> list[SignatureFiles | DigestFile]:
    """Return everything on which a proof of an entry rests.

    Key statements, checkpoint, cosignatures and later roots by their signatures; the first root, and the gate keys that
    the statements name, by SHA-256.
    """
    proof = checked.proof
    text = proof.checkpoint.note.text
    counted = (checked.place.state, *checked.cosigned_by)
    signatures = [each for state in counted for each in _list_proved_keys(state, proof.keys[state])]
    for signature in proof.checkpoint.note.signatures:
        if signature.name == proof.checkpoint.origin:
            state, seconds = checked.place.state, None
        else:
            state, seconds = parse_witness(signature.name) or "", read_cosigned_at(signature)
        if state not in counted:
            continue
        kind = ED25519_SIGNATURE if seconds is None else TIMESTAMPED_COSIGNATURE
        for key in proof.keys[state].statement.shown:
            if compute_key_id(signature.name, kind, key) != signature.key_id:
                continue
            name = f"{state.lower()}-{'checkpoint' if seconds is None else 'cosignature'}"
            signed = text if seconds is None else build_cosigned_message(text, seconds // 1000)
            signatures.append(SignatureFiles(name, signed, signature.value[-SIGNATURE_BYTES:], key.to_published()))
    return signatures


def _list_proved_keys(state: str, keys: ProvedKeys) -> Iterator[SignatureFiles | DigestFile]:
    """Yield what proves the gate keys of a State."""
    root, statement, prefix = keys.root, keys.statement, state.lower()
    content = build_message(ObjectKind.ROOT, state, encode_canonical(root.model_dump(mode="json")))
    yield DigestFile(f"{prefix}-root-{root.version}", content)
    known = {key.key_id: key for key in root.keys}
    for data in keys.later_roots:
        yield from _list_root_signatures(state, data, known)
    folded = statement.fold(state)
    signed = ((each.key, each.signature) for each in statement.signatures)
    yield from _list_signatures(state, f"keys-{statement.version}", ObjectKind.KEYS, folded, signed, known)
    for key in statement.shown:
        yield DigestFile(f"{prefix}-gate-{key.key_id[:8]}", encode_canonical(key.model_dump(mode="json")))


def _list_root_signatures(state: str, data: bytes, known: dict[str, PublishedKey]) -> Iterator[SignatureFiles]:
    """Yield the signatures on a root, and add its keys to those that are known."""
    document, root = read_document(data, ObjectKind.ROOT, RootMetadata)
    known |= {key.key_id: key for key in root.keys}
    signed = ((item.key, item.signature) for item in document.signatures)
    yield from _list_signatures(state, f"root-{root.version}", ObjectKind.ROOT, document.payload, signed, known)


def _list_document_signatures(state: str, documents: KeyDocuments) -> Iterator[SignatureFiles]:
    """Yield the signatures of root keys on the roots and on the key statement of a State."""
    known: dict[str, PublishedKey] = {}
    for data in documents.roots:
        yield from _list_root_signatures(state, data, known)
    document, statement = read_document(documents.statement, ObjectKind.KEYS, KeyStatement)
    yield from _list_signatures(state, f"keys-{statement.version}", ObjectKind.KEYS, document.payload, (
        (item.key, item.signature) for item in document.signatures
    ), known)  # fmt: skip


def _list_signatures(
    state: str,
    name: str,
    kind: ObjectKind,
    payload: bytes,
    signatures: Iterable[tuple[str, str]],
    known: dict[str, PublishedKey],
) -> Iterator[SignatureFiles]:
    for key_id, signature in signatures:
        if key_id in known:
            yield SignatureFiles(
                f"{state.lower()}-{name}-{key_id[:8]}",
                build_signed_message(kind, state, payload),
                bytes.fromhex(signature),
                known[key_id],
            )


def _find_key(keys: TrustedKeys, key_id: str) -> PublishedKey:
    return next(key for key in keys.statement.keys if key.key_id == key_id).to_published()
