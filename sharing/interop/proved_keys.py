"""What proves the gate key of a State to those who have pinned its root, in as few bytes as that takes.

A proof of an entry has it for the State and for each witness. Of the first root it has the content, whose fingerprint
is pinned, and of later ones the documents; of the key statement only the gate keys that have signed, with signatures of
as many root keys as are needed (`sharing.trust.folded_statement`). It is encoded as numbers and bytes in a fixed order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sharing.interop.message_proofs import ROOTS_MAX, KeyDocuments
from sharing.trust.documents import Signature, read_document
from sharing.trust.folded_statement import PartialStatement, accept_partial_statement, hide_keys
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.online_key import OnlineKey, Revocation
from sharing.trust.public_keys import KeyAlgorithm, KeyRole, PublishedKey
from sharing.trust.root import Pin, RootMetadata, accept_next_root, accept_pinned_content, follow_chain
from sharing.trust.signatures import ObjectKind

_ED25519: Final = KeyAlgorithm.ED25519


@dataclass(frozen=True, slots=True)
class ProvedKeys:
    """What proves gate keys of a State. Nothing in it is verified.

    Attributes:
        root: The first root.
        later_roots: The documents of the roots after it, in the order of their versions.
        statement: The key statement.
    """

    root: RootMetadata
    later_roots: tuple[bytes, ...] = field(repr=False)
    statement: PartialStatement

    def verify(self, pin: Pin, now: int) -> TrustedKeys:
        """Return the gate keys that are proved.

        Args:
            pin: The State's pinned root.
            now: For when, in UTC milliseconds.

        Raises:
            TrustError: They are not.
        """
        if pin.version > self.root.version:
            return accept_partial_statement(follow_chain(pin, self.later_roots, now=now), self.statement, now=now)
        trusted = accept_pinned_content(pin, self.root)
        for data in self.later_roots:
            trusted = accept_next_root(trusted, data)
        return accept_partial_statement(trusted, self.statement, now=now)

    def pack(self) -> list[Any]:
        """Return it as numbers, bytes and lists."""
        root, statement = self.root, self.statement
        signers = [key.key_id for key in self.read_last_root().keys]
        return [
            [
                root.version, root.issued_at, root.expires_at, root.threshold, root.online_days_max,
                [bytes.fromhex(key.public) for key in root.keys],
            ],
            list(self.later_roots),
            [
                statement.root_version, statement.version, statement.issued_at, statement.expires_at,
                [[bytes.fromhex(each.key), each.effective_at] for each in statement.revocations],
                [_pack_key(key) for key in statement.gate_keys],
                list(statement.gate_places), bytes.fromhex(statement.other_keys),
                [[signers.index(each.key), bytes.fromhex(each.signature)] for each in statement.signatures],
            ],
        ]  # fmt: skip

    def read_last_root(self) -> RootMetadata:
        """Return the newest root, whose keys have signed the statement.

        Raises:
            TrustError: Its document is malformed.
        """
        if not self.later_roots:
            return self.root
        return read_document(self.later_roots[-1], ObjectKind.ROOT, RootMetadata)[1]


def prove_keys(documents: KeyDocuments, shown: Collection[str]) -> ProvedKeys:
    """Return what proves gate keys, from the documents of their State.

    Args:
        documents: The documents.
        shown: The ids of the gate keys.

    Raises:
        TrustError: A document is malformed.
    """
    roots = [read_document(data, ObjectKind.ROOT, RootMetadata)[1] for data in documents.roots]
    newest = roots[-1]
    signers = {key.key_id for key in newest.keys}
    statement = hide_keys(documents.statement, shown, signers, newest.threshold)
    return ProvedKeys(roots[0], tuple(documents.roots[1:]), statement)


def unpack_keys(state: str, packed: Any) -> ProvedKeys:
    """Return what `pack` has packed.

    Raises:
        ValueError: It is something else. Further kinds of exceptions are possible, too.
    """
    root_fields, later_roots, statement_fields = packed
    version, issued_at, expires_at, threshold, online_days_max, publics = root_fields
    root = RootMetadata(
        state=state, version=version, issued_at=issued_at, expires_at=expires_at, threshold=threshold,
        online_days_max=online_days_max,
        keys=tuple(PublishedKey(algorithm=_ED25519, public=public.hex()) for public in publics),
    )  # fmt: skip
    if len(later_roots) >= ROOTS_MAX:
        raise ValueError("has too many roots")
    later = tuple(map(bytes, later_roots))
    newest = read_document(later[-1], ObjectKind.ROOT, RootMetadata)[1] if later else root
    root_version, number, issued_at, expires_at, revocations, gates, places, others, signatures = statement_fields
    statement = PartialStatement(
        root_version=root_version, version=number, issued_at=issued_at, expires_at=expires_at,
        revocations=tuple(Revocation(key=key.hex(), effective_at=at) for key, at in revocations),
        gate_keys=tuple(map(_unpack_key, gates)), gate_places=tuple(places), other_keys=others.hex(),
        signatures=tuple(
            Signature(key=newest.keys[index].key_id, signature=made.hex()) for index, made in signatures
        ),
    )  # fmt: skip
    return ProvedKeys(root, later, statement)


def pack_all(keys: Mapping[str, ProvedKeys]) -> dict[str, Any]:
    """Return the keys of several States, packed."""
    return {state: each.pack() for state, each in keys.items()}


def _pack_key(key: OnlineKey | str) -> Any:
    if isinstance(key, str):
        return bytes.fromhex(key)
    return [bytes.fromhex(key.public), key.valid_from, key.valid_until, bytes.fromhex(key.successor)]


def _unpack_key(packed: Any) -> OnlineKey | str:
    if isinstance(packed, bytes):
        return packed.hex()
    public, valid_from, valid_until, successor = packed
    return OnlineKey(
        algorithm=_ED25519, role=KeyRole.GATE, public=public.hex(), valid_from=valid_from, valid_until=valid_until,
        successor=successor.hex(),
    )  # fmt: skip
