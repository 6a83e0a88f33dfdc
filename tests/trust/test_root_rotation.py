"""Random sequences of roots, honest and forged, against a naive oracle that shares no code with the product."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sharing.trust.documents import read_document
from sharing.trust.faults import TrustFault
from sharing.trust.root import Pin, RootMetadata, TrustedRoot, accept_next_root, fingerprint_of, follow_chain
from sharing.trust.signatures import ObjectKind
from tests.trust.trust_fixtures import DAY, EXAMPLES, NOW, find_fault, make_signer, sign_root

POOL = [make_signer(f"pool {number}") for number in range(5)]
SUBSETS = st.sets(st.integers(0, len(POOL) - 1), min_size=1)


class RootRotation(RuleBasedStateMachine):
    """A reader that has pinned the first root and is shown one document after the other.

    The oracle keeps, of the newest root that a reader must accept, its version, its keys as numbers, its threshold, and
    the bytes; it decides by counting.
    """

    def __init__(self) -> None:
        super().__init__()
        metadata = self._make(1, {0, 1, 2}, 2, "CH", NOW + DAY)
        self.chain = [sign_root(metadata, POOL[:3])]
        document, _ = read_document(self.chain[0], ObjectKind.ROOT, RootMetadata)
        self.pins = [Pin("CH", 1, fingerprint_of(document, metadata))]
        self.trusted: TrustedRoot = follow_chain(self.pins[0], self.chain, now=NOW)
        self.version, self.keys, self.threshold, self.expires = 1, {0, 1, 2}, 2, NOW + DAY

    @staticmethod
    def _make(version: int, keys: set[int], threshold: int, state: str, expires: int) -> RootMetadata:
        return RootMetadata(
            state=state,
            version=version,
            issued_at=NOW,
            expires_at=expires,
            threshold=threshold,
            keys=tuple(POOL[number].public_key for number in sorted(keys)),
        )

    @rule(
        step=st.sampled_from([1, 1, 1, 1, 0, -1, 2]),
        keys=SUBSETS,
        threshold=st.integers(1, 3),
        signers=SUBSETS,
        state=st.sampled_from(["CH"] * 9 + ["DE"]),
        days=st.integers(1, 3),
    )
    def show_root(self, step: int, keys: set[int], threshold: int, signers: set[int], state: str, days: int) -> None:
        version, expires = max(1, self.version + step), NOW + days * DAY
        threshold = min(threshold, len(keys))
        data = sign_root(self._make(version, keys, threshold, state, expires), [POOL[number] for number in signers])
        if state != "CH":
            expected: TrustFault | None = TrustFault.WRONG_STATE
        elif version == self.version:
            same = (keys, threshold, expires) == (self.keys, self.threshold, self.expires)
            expected = None if same else TrustFault.CONFLICT
        elif version < self.version:
            expected = TrustFault.ROLLED_BACK
        elif version > self.version + 1:
            expected = TrustFault.VERSION_MISSING
        elif len(signers & self.keys) < self.threshold or len(signers & keys) < threshold:
            expected = TrustFault.THRESHOLD_NOT_MET
        else:
            expected = None
        assert find_fault(lambda: accept_next_root(self.trusted, data)) is expected
        if expected is not None:
            return
        accepted = accept_next_root(self.trusted, data)
        if version > self.version:
            self.chain.append(data)
            self.pins.append(accepted.to_pin())
            self.version, self.keys, self.threshold, self.expires = version, keys, threshold, expires
        self.trusted = accepted

    @rule(position=st.integers(0, 1000))
    @precondition(lambda self: len(self.chain) > 2)
    def withhold_one(self, position: int) -> None:
        """A chain with a gap leads nowhere."""
        without = [data for index, data in enumerate(self.chain) if index != 1 + position % (len(self.chain) - 2)]
        fault = find_fault(lambda: follow_chain(self.pins[0], without, now=NOW))
        assert fault is TrustFault.VERSION_MISSING

    @invariant()
    def every_pin_leads_to_the_same_root(self) -> None:
        for pin in (self.pins[0], self.pins[-1], self.pins[len(self.pins) // 2]):
            assert follow_chain(pin, self.chain, now=NOW, newest_seen=self.version) == self.trusted
        metadata = self.trusted.metadata
        assert (metadata.version, len(metadata.keys), metadata.threshold) == (
            self.version, len(self.keys), self.threshold,
        )  # fmt: skip


TestRootRotation = RootRotation.TestCase
TestRootRotation.settings = settings(max_examples=EXAMPLES, stateful_step_count=10, deadline=None)
