"""The form of a key statement that root keys sign, and statements of which only some keys are shown.

Root keys do not sign the list of keys itself, but its *folded* form: a SHA-256 of each gate key, its place in the list,
and one SHA-256 over all other keys. So a proof that needs one gate key shows that one, and none that it does not need,
although every key is signed: anyone who has the whole statement can compute the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from sharing.model.strict_model import StrictModel
from sharing.trust.canonical import decode_canonical, encode_canonical
from sharing.trust.documents import (
    SIGNATURES_MAX,
    Instant,
    Signature,
    SignedDocument,
    compute_digest,
    fold_keys,
    hash_canonical,
    read_document,
)
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import (
    KEYS_MAX,
    REVOCATIONS_MAX,
    KeyStatement,
    RootVersion,
    StatementVersion,
    TrustedKeys,
    check_validity,
    require_current_statement,
)
from sharing.trust.online_key import OnlineKey, Revocation
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import TrustedRoot, require_current_root, require_root_signatures
from sharing.trust.signatures import ObjectKind

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Place = Annotated[int, Field(ge=0, lt=KEYS_MAX)]


class PartialStatement(StrictModel):
    """A key statement of which only some gate keys are shown.

    Attributes:
        root_version: As in the statement, like all that is not described here.
        version: The same.
        issued_at: The same.
        expires_at: The same.
        revocations: The same.
        gate_keys: The gate keys in their order; of those that are not shown, the SHA-256.
        gate_places: Their places in the list of all keys.
        other_keys: SHA-256 of the list of all other keys.
        signatures: Signatures of root keys.
    """

    root_version: RootVersion
    version: StatementVersion
    issued_at: Instant
    expires_at: Instant
    revocations: Annotated[tuple[Revocation, ...], Field(max_length=REVOCATIONS_MAX)]
    gate_keys: Annotated[tuple[OnlineKey | Digest, ...], Field(max_length=KEYS_MAX)]
    gate_places: Annotated[tuple[Place, ...], Field(max_length=KEYS_MAX)]
    other_keys: Digest
    signatures: Annotated[tuple[Signature, ...], Field(max_length=SIGNATURES_MAX)]

    @property
    def shown(self) -> tuple[OnlineKey, ...]:
        """The gate keys that are shown."""
        return tuple(key for key in self.gate_keys if isinstance(key, OnlineKey))

    def fold(self, state: str) -> bytes:
        """Return the folded form of the whole statement, which root keys have signed."""
        fields = self.model_dump(mode="json", exclude={"signatures"})
        digests = [digest_key(key) if isinstance(key, OnlineKey) else key for key in self.gate_keys]
        return encode_canonical({**fields, "kind": "keys", "format": 1, "state": state, "gate_keys": digests})


def digest_key(key: OnlineKey) -> str:
    """Return the SHA-256 of a key, as it is in the folded form of its statement."""
    return hash_canonical(key.model_dump(mode="json"))


def hide_keys(data: bytes, shown: Collection[str], signers: Collection[str], threshold: int) -> PartialStatement:
    """Return a statement with only some of its gate keys.

    Args:
        data: The statement.
        shown: Ids of the gate keys that stay.
        signers: Ids of the root keys whose signatures stay, as many as are needed.
        threshold: How many are needed.

    Raises:
        TrustError: It is not a key statement.
    """
    document, statement = read_document(data, ObjectKind.KEYS, KeyStatement)
    folded: Mapping[str, Any] = decode_canonical(fold_keys(document.payload))
    gates = [key for key in statement.keys if key.role is KeyRole.GATE]
    keys = tuple(key if key.key_id in shown else digest_key(key) for key in gates)
    return PartialStatement(
        root_version=statement.root_version, version=statement.version, issued_at=statement.issued_at,
        expires_at=statement.expires_at, revocations=statement.revocations, gate_keys=keys,
        gate_places=tuple(folded["gate_places"]), other_keys=folded["other_keys"],
        signatures=tuple(each for each in document.signatures if each.key in signers)[:threshold],
    )  # fmt: skip


def accept_partial_statement(root: TrustedRoot, partial: PartialStatement, *, now: int) -> TrustedKeys:
    """Return the gate keys that are shown, after verifying the statement.

    Args:
        root: The newest root of the State.
        partial: The statement.
        now: For when, in UTC milliseconds.

    Raises:
        TrustError: Root or statement are not valid then, too few root keys have signed the statement, or they have
            signed what no statement can say.
    """
    require_current_root(root, now)
    state, folded = root.state, partial.fold(root.state)
    name = f"{state}: key statement {partial.version}"
    if partial.root_version > root.metadata.version:
        raise TrustError(TrustFault.VERSION_MISSING, f"{name} was issued under a later root; get that root first")
    if any(key.role is not KeyRole.GATE for key in partial.shown):
        raise TrustError(TrustFault.WRONG_PURPOSE, f"{name} shows a key for another purpose as a gate key")
    require_root_signatures(SignedDocument(ObjectKind.KEYS, folded, partial.signatures), root.metadata, name)
    try:
        statement = KeyStatement(
            state=state, root_version=partial.root_version, version=partial.version, issued_at=partial.issued_at,
            expires_at=partial.expires_at, keys=partial.shown, revocations=partial.revocations,
        )  # fmt: skip
    except ValidationError:
        raise TrustError(TrustFault.MALFORMED, f"{name} has contents that a key statement cannot have") from None
    keys = TrustedKeys(statement, compute_digest(ObjectKind.KEYS, state, folded), root)
    check_validity(keys, name)
    require_current_statement(keys, now)
    return keys
