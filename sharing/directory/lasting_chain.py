"""A chain that outlives its reader: what it has accepted can be remembered and taken over by the next reader."""

from __future__ import annotations

from collections.abc import Iterable

from sharing.directory.chain_memory import ChainMemory, is_signed_under, verify_under_newest
from sharing.directory.state_chain import StateChain, make_root_key
from sharing.directory.statement import limit_validity, read_entry, verify_statement
from sharing.trust.documents import read_document
from sharing.trust.faults import TrustError
from sharing.trust.root import RootMetadata, TrustedRoot
from sharing.trust.signatures import ObjectKind


class LastingChain(StateChain):
    """The chain from the pinned root of a State to its entry, continued after a restart."""

    def export(self) -> ChainMemory:
        """Return what a later reader must know to accept nothing older."""
        return ChainMemory(self.state, tuple(self._root_documents), self._keys_document, tuple(self._seen.values()))

    def admits(self, memory: ChainMemory) -> bool:
        """Return whether the pinned root leads to what was remembered."""
        try:
            return bool(LastingChain(self._pin)._restore_roots(memory.roots))  # noqa: SLF001 of this class
        except TrustError:
            return False

    def restore(self, memory: ChainMemory, now: int) -> None:
        """Take over what an earlier reader has accepted, verified again; before anything else is received.

        What has expired in the meantime still counts as seen.

        Args:
            memory: What was remembered.
            now: The reader's clock, in UTC milliseconds.

        Raises:
            TrustError: The pinned root does not lead to it, or something does not verify.
        """
        roots = self._restore_roots(memory.roots)
        if roots and memory.keys:
            seen = verify_under_newest(roots, memory.keys)
            self._keys_seen, self._keys_document = seen, memory.keys
            self.keys = seen if seen.root is self.root else None
            verified = (statement for statement in memory.statements if is_signed_under(seen, statement))
            self._seen = {statement.signature.key: statement for statement in verified}
        self._restore_entry(now)
        self.revision = 0

    def _restore_roots(self, documents: Iterable[bytes]) -> list[TrustedRoot]:
        """Follow the roots from the pinned one; return them, the newest last."""
        roots: list[TrustedRoot] = []
        for data in documents:
            _, metadata = read_document(data, ObjectKind.ROOT, RootMetadata)
            if self._take_root(make_root_key(metadata.version), data) and self.root is not None:
                roots.append(self.root)
        return roots

    def _restore_entry(self, now: int) -> None:
        """Restore the statement that was in force, if it is valid.

        Its key may have been revoked since: what was verified before the revocation stays, as it would without a
        restart. But what is dated after it is not restored.
        """
        held = self._find_held(now)
        if held is None or self.keys is None:
            return
        try:
            verify_statement(self.keys, held, now, arrived_at=held.content.issued_at)
            announced = read_entry(held)
        except TrustError:
            return
        self._announced = announced
        self._entry = None if announced is None else limit_validity(announced, held)
        self.statement = held
