"""Whose signatures count when an audit log is verified: keys of the State and of its witnesses, from pinned roots."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.x509 import Certificate

from sharing.audit.checkpoint_verifier import CheckpointPolicy
from sharing.errors import SharingError
from sharing.interop.message_proofs import KeyDocuments
from sharing.kafka.audit_reader import AuditSource
from sharing.kafka.key_documents import read_key_documents
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.root import Pin

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The keys of a State and of those that may be witnesses.

    Attributes:
        trusted: Verified online keys by State.
        documents: What proves them, by State.
    """

    trusted: Mapping[str, TrustedKeys]
    documents: Mapping[str, KeyDocuments]

    def make_policy(
        self,
        state: str,
        now: int,
        required: int,
        stamp_roots: Sequence[Certificate] = (),
        *,
        newest_stamp_only: bool = False,
    ) -> CheckpointPolicy:
        """Return whose signatures count for a State's logs. The arguments are attributes of the policy."""
        witnesses = {other: keys for other, keys in self.trusted.items() if other != state}
        return CheckpointPolicy(self.trusted[state], witnesses, now, required, stamp_roots, newest_stamp_only)


def read_known_keys(source: AuditSource, state: str, pins: Mapping[str, Pin], now: int) -> KnownKeys:
    """Return the keys of a State and of all others that are pinned. Those that are not proved are left out.

    Args:
        source: Where the directory is read.
        state: The State.
        pins: Pinned roots by State.
        now: The time, in UTC milliseconds.

    Raises:
        InfrastructureError: The directory of the State cannot be read.
        TrustError: The keys of the State itself are not proved.
    """
    if state not in pins:
        raise TrustError(
            TrustFault.NOT_PINNED,
            f"no root of {state} is pinned; pin it with `sharing trust add`, comparing its fingerprint with the paper",
        )
    trusted: dict[str, TrustedKeys] = {}
    documents: dict[str, KeyDocuments] = {}
    for each, pin in sorted(pins.items()):
        try:
            roots, statement, keys = read_key_documents(source.bootstrap, pin, now, source.properties, source.framing)
        except SharingError as error:
            if each == state:
                raise
            log.warning("%s: its cosignatures do not count: %s", each, error)
            continue
        trusted[each], documents[each] = keys, KeyDocuments(roots=roots, statement=statement)
    return KnownKeys(trusted, documents)
