"""The register against a naive oracle, on histories of entries, old ones replayed, and registrars who are revoked.

The oracle shares no code with the register: it reads descriptions, not records, and goes through all of them each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sharing.model.vocabulary import Authority
from sharing.officers.entry import OfficerEntry
from sharing.officers.record import OfficerRecord
from sharing.officers.register import Register
from sharing.officers.verification import compute_entry_digest, read_entry
from sharing.trust.documents import sign_document
from sharing.trust.signatures import ObjectKind
from tests.officers.register_fixtures import KEYS, REGISTRARS, revoke_registrars
from tests.trust.trust_fixtures import DAY, EXAMPLES, NOW, make_public

OFFICERS, ROLES = ("o1", "o2"), ("APPROVER", "JUDGE")
HISTORY = 16


@dataclass(frozen=True)
class Described:
    """What was written, in plain words."""

    officer: str
    sequence: int
    issued_at: int
    agency: str
    roles: frozenset[str]
    keys: frozenset[str]
    begins: int
    ends: int
    revoked_at: int | None
    signers: frozenset[int]
    grant: Described | None = field(compare=True, default=None)


@dataclass
class Oracle:
    """Who may answer, from everything that has arrived."""

    arrived: list[tuple[Described, int]] = field(default_factory=list)
    revoked: dict[int, int] = field(default_factory=dict)

    def find(self, officer: str, at: int) -> Described | None:
        history = self.replay()[officer]
        for entry in reversed(history):
            if not self.is_signed(entry, at):
                continue
            if entry.revoked_at is not None and entry.revoked_at <= at:
                return None
            if entry.begins <= at:
                return entry if at < entry.ends else None
        return None

    def replay(self) -> dict[str, list[Described]]:
        accepted: dict[str, list[Described]] = {officer: [] for officer in OFFICERS}
        for entry, now in self.arrived:
            if self.is_accepted(entry, now, accepted):
                accepted[entry.officer] = [*accepted[entry.officer], entry][-HISTORY:]
        return accepted

    def is_accepted(self, entry: Described, now: int, accepted: dict[str, list[Described]]) -> bool:
        newest = {officer: self.find_newest(accepted[officer], now) for officer in OFFICERS}
        present = newest[entry.officer]
        if not self.is_signed(entry, now) or not is_granted(entry):
            return False
        if present is not None:
            if entry.sequence <= present.sequence:
                return False
            if entry.grant is not None and gives_more(entry, present):
                return False
        is_spent = entry.revoked_at is not None and entry.revoked_at <= entry.issued_at
        for officer, other in newest.items():
            if officer == entry.officer or other is None or other.ends <= now or is_spent:
                continue
            if (other.revoked_at is None or other.revoked_at > now) and entry.keys & other.keys:
                return False
        return True

    def find_newest(self, history: Iterable[Described], now: int) -> Described | None:
        return next((entry for entry in reversed(list(history)) if self.is_signed(entry, now)), None)

    def is_signed(self, entry: Described, at: int) -> bool:
        if entry.grant is not None and self.count(entry.grant, at) < 2:
            return False
        grants_nothing = not entry.roles or (entry.revoked_at is not None and entry.revoked_at <= entry.issued_at)
        return self.count(entry, at) >= (1 if grants_nothing or entry.grant is not None else 2)

    def count(self, entry: Described, at: int) -> int:
        return sum(1 for signer in entry.signers if self.revoked.get(signer, at + 1) > at)


def gives_more(entry: Described, earlier: Described) -> bool:
    comes_back = earlier.revoked_at is not None and (entry.revoked_at is None or entry.revoked_at > earlier.revoked_at)
    is_wider = not (entry.roles <= earlier.roles and entry.keys <= earlier.keys) or entry.agency != earlier.agency
    return comes_back or is_wider


def is_granted(entry: Described) -> bool:
    grant = entry.grant
    if grant is None:
        return True
    is_earlier = grant.officer == entry.officer and grant.sequence < entry.sequence
    return is_earlier and not gives_more(entry, grant) and entry.ends <= grant.issued_at + 366 * DAY


class RegisterMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.keys = KEYS
        self.register = Register(KEYS)
        self.oracle = Oracle()
        self.written: list[tuple[Described, OfficerRecord]] = []

    @rule(
        officer=st.sampled_from(OFFICERS),
        sequence=st.integers(1, 6),
        agency=st.sampled_from(("fedpol", "fedpol", "customs")),
        roles=st.frozensets(st.sampled_from(ROLES)),
        keys=st.sampled_from((("own",), ("own",), ("own", "shared"), ("shared",))),
        starts=st.sampled_from((0, 0, 5)),
        days=st.sampled_from((6, 30, 90)),
        revoked=st.sampled_from((None, None, None, -3, 0, 10)),
        signers=st.frozensets(st.integers(1, 3), min_size=1),
        grant=st.integers(0, 5),
    )
    def write(
        self,
        *,
        officer: str,
        sequence: int,
        agency: str,
        roles: frozenset[str],
        keys: tuple[str, ...],
        starts: int,
        days: int,
        revoked: int | None,
        signers: frozenset[int],
        grant: int,
    ) -> None:
        """Write an entry. In half of the cases it claims to rest on an earlier one of the officer, if there is one."""
        earlier = [each for each in self.written if each[0].officer == officer]
        chosen = earlier[-grant] if 0 < grant <= min(3, len(earlier)) else None
        described = Described(
            officer=officer,
            sequence=sequence,
            issued_at=self.now,
            agency=agency,
            roles=roles,
            keys=frozenset("shared" if key == "shared" else officer for key in keys),
            begins=self.now + starts * DAY,
            ends=self.now + days * DAY,
            revoked_at=None if revoked is None else self.now + revoked * DAY,
            signers=signers,
            grant=None if chosen is None else chosen[0],
        )
        record = make_record(described, None if chosen is None else chosen[1])
        self.written.append((described, record))
        self.deliver(described, record)

    @precondition(lambda self: self.written)
    @rule(data=st.data())
    def replay_an_old_one(self, data: st.DataObject) -> None:
        self.deliver(*data.draw(st.sampled_from(self.written)))

    @precondition(lambda self: self.written)
    @rule(data=st.data())
    def extend_an_accepted_one(self, data: st.DataObject) -> None:
        """One registrar extends, narrows or revokes what two have granted: mostly right, unlike `write`."""
        described, record = data.draw(st.sampled_from(self.written))
        base, base_record = (described, record) if described.grant is None else (described.grant, None)
        if base_record is None:
            base_record = next(each for known, each in self.written if known == base)
        extended = replace(
            described,
            sequence=described.sequence + data.draw(st.integers(1, 2)),
            issued_at=self.now,
            roles=data.draw(st.sampled_from([described.roles, frozenset(list(described.roles)[:1])])),
            begins=self.now,
            ends=self.now + 90 * DAY,
            revoked_at=data.draw(st.sampled_from([described.revoked_at and self.now, None, self.now + DAY])),
            signers=frozenset({data.draw(st.integers(1, 3))}),
            grant=base,
        )
        signed = make_record(extended, base_record)
        self.written.append((extended, signed))
        self.deliver(extended, signed)

    @rule(officer=st.sampled_from(OFFICERS), value=st.sampled_from([None, b"", b"junk"]))
    def write_what_nobody_signed(self, officer: str, value: bytes | None) -> None:
        assert self.register.receive(officer, value, self.now) is not None

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.now += days * DAY

    @rule(number=st.integers(1, 3))
    def revoke_a_registrar(self, number: int) -> None:
        if number in self.oracle.revoked or len(self.oracle.revoked) == 2:
            return
        self.now += 1  # what has arrived, has arrived before
        self.keys = revoke_registrars(self.keys, number, at=self.now)
        self.oracle.revoked[number] = self.now
        self.register.replace_keys(self.keys)

    def deliver(self, described: Described, record: OfficerRecord) -> None:
        self.register.receive(described.officer, record.encode(), self.now)
        self.oracle.arrived.append((described, self.now))

    @invariant()
    def agrees_with_the_oracle(self) -> None:
        for officer in OFFICERS:
            for at in (self.now - 7 * DAY, self.now - 1, self.now, self.now + 5 * DAY, self.now + 60 * DAY):
                expected = self.oracle.find(officer, at)
                found = self.register.find_officer(officer, at)
                assert summarise(found) == (None if expected is None else summarise_described(expected)), (officer, at)


def summarise(entry: OfficerEntry | None) -> tuple[object, ...] | None:
    return (
        None if entry is None else (entry.sequence, entry.issued_at, entry.agency, set(entry.roles), entry.valid_until)
    )


def summarise_described(entry: Described) -> tuple[object, ...]:
    return (entry.sequence, entry.issued_at, entry.agency, set(entry.roles), entry.ends)


def make_record(described: Described, grant: OfficerRecord | None) -> OfficerRecord:
    digest = None
    if grant is not None:
        digest = compute_entry_digest(*read_entry(grant.document))
    entry = OfficerEntry(
        state="CH",
        id=described.officer,
        sequence=described.sequence,
        issued_at=described.issued_at,
        name="N.",
        agency=described.agency,
        authority=Authority.POLICE,
        roles=tuple(sorted(described.roles)),
        keys=tuple(make_public(f"officer {key}") for key in sorted(described.keys)),
        valid_from=described.begins,
        valid_until=described.ends,
        revoked_at=described.revoked_at,
        grant=digest,
    )
    signers = [REGISTRARS[number - 1] for number in sorted(described.signers)]
    document = sign_document(ObjectKind.OFFICER, "CH", entry, signers).to_bytes()
    return OfficerRecord(document, None if grant is None else grant.document)


TestRegisterMachine = RegisterMachine.TestCase
TestRegisterMachine.settings = settings(max_examples=EXAMPLES, stateful_step_count=25, deadline=None, database=None)
