"""The register of officers: what is accepted, what is refused and why, and who is in force."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest

from sharing.conversation.asks import Officer
from sharing.errors import InputError
from sharing.officers.changes import OfficerFields, change_officer, countersign, find_grant, revoke_officer, sign_change
from sharing.officers.entry import OFFICER_DAYS_MAX, OfficerEntry
from sharing.officers.record import OfficerRecord, decode_record
from sharing.officers.register import HISTORY_MAX, REFUSALS_MAX, Register
from sharing.officers.verification import VerifiedEntry, compute_entry_digest, read_entry
from sharing.trust.canonical import encode_canonical
from sharing.trust.faults import TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.online_key import KEEP_ENDED_REGISTRAR_DAYS
from tests.officers.register_fixtures import (
    KEYS,
    REGISTRARS,
    grant,
    make_fields,
    open_record,
    revoke_registrars,
    sign,
    sign_entry,
)
from tests.trust.trust_fixtures import DAY, NOW, make_public, make_signer

ONE, TWO, THREE = REGISTRARS


def receive(register: Register, record: OfficerRecord | bytes | None, officer_id: str = "o1", *, now: int = NOW) -> str:
    """Give a record to the register; return why it is refused, or ""."""
    value = record.encode() if isinstance(record, OfficerRecord) else record
    error = register.receive(officer_id, value, now)
    return "" if error is None else str(error.fault)


def open_register(*records: OfficerRecord, keys: TrustedKeys = KEYS) -> Register:
    register = Register(keys)
    for record in records:
        assert receive(register, record, open_record(record).id, now=open_record(record).issued_at) == ""
    return register


def require_newest(register: Register, officer_id: str = "o1", now: int = NOW) -> VerifiedEntry:
    newest = register.find_newest(officer_id, now)
    assert newest is not None
    return newest


def test_two_registrars_add_an_officer_who_may_answer_until_the_end() -> None:
    register = open_register(grant(Register(KEYS)))
    entry = register.find_officer("o1", NOW)
    assert entry is not None
    assert entry.to_officer() == Officer("o1", "fedpol", frozenset({"PUBLIC_PROSECUTOR"}))
    assert register.find_officer("o1", NOW + 90 * DAY - 1) == entry
    for at_ms in (NOW - 1, NOW + 90 * DAY):
        assert register.find_officer("o1", at_ms) is None
    assert register.find_officer("o2", NOW) is None


@pytest.mark.parametrize("signers", [(ONE,), (TWO,), (ONE, make_signer("stranger")), (ONE, make_signer("gate 1"))])
def test_roles_take_two_different_registrar_keys(signers: tuple[object, ...]) -> None:
    change = change_officer("CH", "o1", None, make_fields(), days=90, now=NOW)
    assert change.needed == 2
    register = Register(KEYS)
    assert receive(register, sign(change, *signers)) != ""  # type: ignore[arg-type]
    assert register.find_officer("o1", NOW) is None
    assert "o1" in register.refusals


def test_the_same_key_twice_is_one_signature() -> None:
    change = change_officer("CH", "o1", None, make_fields(), days=90, now=NOW)
    document = sign_change(change, ONE)
    with pytest.raises(InputError, match="has signed it already"):
        countersign(document, change.entry, ONE)
    twice = replace(document, signatures=document.signatures * 2)
    assert receive(Register(KEYS), OfficerRecord(twice.to_bytes())) == TrustFault.MALFORMED


def test_one_registrar_adds_an_officer_without_roles() -> None:
    change = change_officer("CH", "o1", None, make_fields(roles=()), days=30, now=NOW)
    assert change.needed == 1
    register = open_register(sign(change, TWO))
    assert register.find_officer("o1", NOW) is not None


@pytest.mark.parametrize(
    "given",
    [
        OfficerFields(roles=("PUBLIC_PROSECUTOR", "SENIOR_OFFICER")),
        OfficerFields(keys=(make_public("another"),)),
        OfficerFields(agency="customs"),
    ],
)
def test_what_gives_more_takes_two_again(given: OfficerFields) -> None:
    register = open_register(grant(Register(KEYS)))
    change = change_officer("CH", "o1", require_newest(register), given, days=90, now=NOW + DAY)
    assert (change.needed, change.grant) == (2, None)
    assert receive(register, sign(change, ONE), now=NOW + DAY) == TrustFault.THRESHOLD_NOT_MET
    kept = register.find_officer("o1", NOW + DAY)
    assert kept is not None
    assert kept.agency == "fedpol"
    assert receive(register, sign(change, ONE, THREE), now=NOW + DAY) == ""


def test_one_registrar_cannot_claim_a_grant_that_gives_less() -> None:
    register = open_register(grant(Register(KEYS)))
    newest = require_newest(register)
    change = change_officer("CH", "o1", newest, OfficerFields(), days=90, now=NOW + DAY)
    assert (change.needed, change.grant is not None) == (1, True)
    wider = change.entry.model_copy(update={"roles": ("PUBLIC_PROSECUTOR", "SENIOR_OFFICER")})
    assert receive(register, sign(replace(change, entry=wider), ONE), now=NOW + DAY) == TrustFault.THRESHOLD_NOT_MET
    longer = change.entry.model_copy(update={"grant": "0" * 64})
    assert receive(register, sign(replace(change, entry=longer), ONE), now=NOW + DAY) == TrustFault.MALFORMED
    assert receive(register, sign(replace(change, grant=None), ONE), now=NOW + DAY) == TrustFault.MALFORMED
    alone = sign(change_officer("CH", "o1", None, make_fields(), days=90, now=NOW - DAY), ONE)
    document, entry = read_entry(alone.document)
    digest = change.entry.model_copy(update={"grant": find_digest(document.to_bytes())})
    false = sign(replace(change, entry=digest, grant=alone.document), ONE)
    assert entry.roles == change.entry.roles
    assert receive(register, false, now=NOW + DAY) == TrustFault.THRESHOLD_NOT_MET


def test_a_reader_that_sees_one_record_measures_it_by_its_grant() -> None:
    """Without the entries between, nothing but the grant says what an officer may be given."""
    granted = grant(Register(KEYS))
    register = open_register(granted)
    change = change_officer("CH", "o1", require_newest(register), OfficerFields(), days=90, now=NOW + DAY)
    assert receive(Register(KEYS), sign(change, ONE), now=NOW + DAY) == ""
    for update, fault in (
        ({"roles": ("PUBLIC_PROSECUTOR", "SENIOR_OFFICER")}, TrustFault.THRESHOLD_NOT_MET),
        ({"keys": (make_public("another"),)}, TrustFault.THRESHOLD_NOT_MET),
        ({"agency": "customs"}, TrustFault.THRESHOLD_NOT_MET),
        ({"sequence": open_record(granted).sequence}, TrustFault.MALFORMED),
        ({"sequence": open_record(granted).sequence - 1}, TrustFault.MALFORMED),
    ):
        altered = replace(change, entry=change.entry.model_copy(update=update))
        assert receive(Register(KEYS), sign(altered, ONE), now=NOW + DAY) == fault
    other = grant(Register(KEYS), "o2", keys=make_fields("o1").keys)
    entry = change.entry.model_copy(update={"grant": find_digest(other.document)})
    foreign = replace(change, entry=entry, grant=other.document)
    assert receive(Register(KEYS), sign(foreign, ONE), now=NOW + DAY) == TrustFault.MALFORMED


def find_digest(document: bytes) -> str:
    return compute_entry_digest(*read_entry(document))


def test_one_registrar_extends_for_a_year_also_for_a_reader_that_sees_only_the_last_record() -> None:
    register, now, extended = open_register(grant(Register(KEYS))), NOW, None
    while True:
        now += 80 * DAY
        change = change_officer("CH", "o1", require_newest(register, now=now), OfficerFields(), days=90, now=now)
        if change.needed == 2:
            break
        extended = sign(change, TWO)
        assert receive(register, extended, now=now) == ""
        fresh = open_register(extended)
        assert fresh.find_officer("o1", now) == register.find_officer("o1", now) != None  # noqa: E711
        assert open_record(extended).valid_until <= NOW + 366 * DAY
    assert extended is not None
    assert now > NOW + 366 * DAY
    too_long = open_record(extended).model_copy(update={"valid_until": NOW + 367 * DAY, "sequence": 2**40})
    signed = sign(replace(change, entry=too_long, grant=extended.grant), TWO)
    assert receive(register, signed, now=open_record(extended).issued_at) == TrustFault.VALID_TOO_LONG
    assert KEEP_ENDED_REGISTRAR_DAYS >= 366


def test_a_revocation_stays_and_no_older_entry_comes_back() -> None:
    first = grant(Register(KEYS))
    register = open_register(first)
    later = NOW + DAY
    revocation = sign(revoke_officer(require_newest(register), effective_at=later, now=later), THREE)
    assert receive(register, revocation, now=later) == ""
    assert register.find_officer("o1", later - 1) is not None
    assert register.find_officer("o1", later) is None
    assert receive(register, first, now=later) == TrustFault.ROLLED_BACK
    assert receive(register, None, now=later) == TrustFault.UNSIGNED
    assert receive(register, b"", now=later) == TrustFault.UNSIGNED
    assert register.find_officer("o1", later) is None
    assert receive(register, revocation, now=later) == ""
    assert register.refusals == {}
    # The same for a reader that reads later, and for one that remembers and is shown the old entry only.
    remembering = open_register(*(record for _, record in register.list_records(later)))
    assert receive(remembering, first, now=NOW + 400 * DAY) != ""
    assert receive(remembering, first, now=later) == TrustFault.ROLLED_BACK
    assert remembering.find_officer("o1", later) is None


def test_a_revocation_is_not_undone_by_what_a_clock_that_was_ahead_has_signed() -> None:
    """A reader that starts when the time of that entry has come accepts it, and then what was written meanwhile."""
    first = grant(Register(KEYS))
    register = open_register(first)
    ahead = change_officer(
        "CH", "o1", require_newest(register), OfficerFields(agency="customs"), days=60, now=NOW + 3_600_000
    )
    early, now = sign(ahead, ONE, TWO), NOW + 60_000
    assert receive(register, early, now=now) == TrustFault.NOT_YET_VALID
    forged = replace(ahead, entry=ahead.entry.model_copy(update={"sequence": 2**50}))
    assert receive(register, sign(forged, ONE), now=now) != "", "one registrar alone uses up no sequence"
    last = register.find_last_sequence("o1", now)
    assert last == open_record(early).sequence
    revoked = sign(revoke_officer(require_newest(register), effective_at=now, now=now, after=last), THREE)
    assert receive(register, revoked, now=now) == ""
    later = NOW + 2 * 3_600_000
    for reader in (Register(KEYS), open_register(*(record for _, record in register.list_records(now)))):
        for record in (first, early, revoked):
            receive(reader, record, now=later)
        assert reader.find_officer("o1", later) is None
    register.replace_keys(revoke_registrars(KEYS, 1, 2, at=now))
    assert register.find_last_sequence("o1", now) == open_record(revoked).sequence


def test_one_registrar_cannot_bring_a_revoked_or_narrowed_officer_back() -> None:
    register = open_register(grant(Register(KEYS), roles=("PUBLIC_PROSECUTOR", "SENIOR_OFFICER")))
    granted = find_grant(require_newest(register))
    assert granted is not None
    narrowed = change_officer(
        "CH", "o1", require_newest(register), OfficerFields(roles=("SENIOR_OFFICER",)), days=90, now=NOW + DAY
    )
    assert receive(register, sign(narrowed, ONE), now=NOW + DAY) == ""
    back = narrowed.entry.model_copy(update={"roles": granted[0].entry.roles, "sequence": 2**40})
    assert receive(register, sign(replace(narrowed, entry=back), ONE), now=NOW + DAY) == TrustFault.THRESHOLD_NOT_MET
    revoked = revoke_officer(require_newest(register), effective_at=NOW, now=NOW + 2 * DAY)
    assert receive(register, sign(revoked, ONE), now=NOW + 2 * DAY) == ""
    alive = narrowed.entry.model_copy(update={"sequence": 2**41})
    assert receive(register, sign(replace(narrowed, entry=alive), ONE), now=NOW + DAY) == TrustFault.THRESHOLD_NOT_MET
    again = change_officer("CH", "o1", require_newest(register), OfficerFields(), days=90, now=NOW + 3 * DAY)
    assert again.needed == 2
    assert receive(register, sign(again, TWO, THREE), now=NOW + 3 * DAY) == ""
    assert register.find_officer("o1", NOW + 3 * DAY) is not None


def test_a_planned_revocation_gives_no_more_than_was_granted() -> None:
    register = open_register(grant(Register(KEYS)))
    planned = revoke_officer(require_newest(register), effective_at=NOW + 20 * DAY, now=NOW + DAY)
    assert planned.needed == 1
    wider = planned.entry.model_copy(update={"roles": ("PUBLIC_PROSECUTOR", "SENIOR_OFFICER"), "grant": None})
    assert receive(register, sign(replace(planned, entry=wider, grant=None), ONE), now=NOW + DAY) != ""
    assert receive(register, sign(planned, ONE), now=NOW + DAY) == ""
    assert register.find_officer("o1", NOW + 20 * DAY - 1) is not None
    assert register.find_officer("o1", NOW + 20 * DAY) is None
    deferred = revoke_officer(require_newest(register), effective_at=NOW + 25 * DAY, now=NOW + 2 * DAY)
    assert deferred.entry.revoked_at == NOW + 20 * DAY
    with pytest.raises(InputError, match="takes effect within 30 days"):
        revoke_officer(require_newest(open_register(grant(Register(KEYS)))), effective_at=NOW + 31 * DAY, now=NOW)


def test_of_two_entries_with_one_sequence_the_first_counts() -> None:
    register = Register(KEYS)
    first, second = grant(register), grant(register, agency="customs")
    assert open_record(first).sequence == open_record(second).sequence
    register = open_register(first)
    assert receive(register, second) == TrustFault.CONFLICT
    entry = register.find_officer("o1", NOW)
    assert entry is not None
    assert entry.agency == "fedpol"
    assert "the first in the topic counts" in str(register.refusals["o1"])
    assert register.hidden == {"o1"}
    assert receive(register, first) == ""
    assert not register.refusals
    assert not register.hidden


def test_what_is_no_signed_entry_of_this_officer_is_refused() -> None:
    record = grant(Register(KEYS))
    entry = open_record(record)
    unsigned = OfficerRecord(encode_canonical({"signatures": [], "signed": json.loads(record.document)["signed"]}))
    foreign = entry.model_copy(update={"state": "DE"})
    altered = OfficerRecord(record.document.replace(b'"fedpol"', b'"fedpox"'))
    for value, fault in (
        (unsigned.encode(), TrustFault.UNSIGNED),
        (sign_entry(foreign, ONE, TWO), TrustFault.WRONG_STATE),
        (sign_entry(foreign, ONE, TWO, state="DE"), TrustFault.WRONG_STATE),
        (sign_entry(entry, make_signer("DEregistrar 1"), make_signer("DEregistrar 2")), TrustFault.UNKNOWN_KEY),
        (sign_entry(entry, make_signer("gate 1"), make_signer("desk 1")), TrustFault.WRONG_PURPOSE),
        (altered.encode(), TrustFault.BAD_SIGNATURE),
        (record.document, TrustFault.MALFORMED),
        (record.encode()[:-5], TrustFault.MALFORMED),
        (OfficerRecord(b"{}").encode(), TrustFault.MALFORMED),
        (bytes(70_000), TrustFault.MALFORMED),
        (OfficerRecord(record.document, record.document).encode(), TrustFault.MALFORMED),
    ):
        register = Register(KEYS)
        assert receive(register, value) == fault
        assert register.find_officer("o1", NOW) is None
    assert receive(Register(KEYS), record, "o2") == TrustFault.MALFORMED


@pytest.mark.parametrize("algorithm", ["webauthn-es256", "x25519"])
def test_a_key_that_does_not_sign_rulings_is_refused(algorithm: str) -> None:
    """Another algorithm becomes a member; until then a reader refuses it by name."""
    record = grant(Register(KEYS))
    data = record.document.replace(b'"algorithm":"ed25519"', f'"algorithm":"{algorithm}"'.encode())
    fault = receive(Register(KEYS), OfficerRecord(data))
    assert fault == (TrustFault.MALFORMED if algorithm == "x25519" else TrustFault.UNKNOWN_ALGORITHM)


def test_an_expired_entry_is_refused_and_brings_no_earlier_one_back() -> None:
    long, register = grant(Register(KEYS)), Register(KEYS)
    assert receive(register, long) == ""
    short = change_officer("CH", "o1", require_newest(register), OfficerFields(roles=()), days=1, now=NOW + DAY)
    late = NOW + 10 * DAY
    assert receive(register, sign(short, ONE), now=late) == TrustFault.EXPIRED
    assert "officers add" in str(register.refusals["o1"])
    assert register.hidden == set()
    assert register.find_officer("o1", late) is None
    assert receive(register, long, now=late) == TrustFault.ROLLED_BACK
    assert register.find_officer("o1", late) is None
    assert register.find_officer("o1", NOW) == open_record(long)


def test_what_a_revoked_registrar_has_signed_no_longer_counts() -> None:
    first = grant(Register(KEYS))
    register = open_register(first)
    thief = change_officer("CH", "o1", require_newest(register), OfficerFields(roles=()), days=90, now=NOW + DAY)
    stolen = replace(thief, entry=thief.entry.model_copy(update={"sequence": 2**53 - 1}))
    assert receive(register, sign(stolen, THREE), now=NOW + DAY) == ""
    revoked = revoke_registrars(KEYS, 3, at=NOW + 2 * DAY)
    register.replace_keys(revoked)
    assert register.find_officer("o1", NOW + 2 * DAY) == open_record(first)
    assert receive(register, sign(stolen, THREE), now=NOW + 2 * DAY) == TrustFault.REVOKED
    extended = sign(
        change_officer(
            "CH", "o1", require_newest(register, now=NOW + 2 * DAY), OfficerFields(), days=90, now=NOW + 2 * DAY
        ),
        ONE,
    )
    assert receive(register, extended, now=NOW + 2 * DAY) == ""
    register.replace_keys(revoke_registrars(revoked, 2, at=NOW + 3 * DAY))
    assert register.find_officer("o1", NOW + 3 * DAY) is None
    assert register.find_officer("o1", NOW + 3 * DAY - 1) is not None
    assert register.list_newest(NOW + 3 * DAY) == []


def test_nobody_answers_once_the_key_statement_has_expired() -> None:
    register = open_register(grant(Register(KEYS)))
    ends = KEYS.statement.expires_at
    later = open_register(grant(Register(KEYS), now=ends - 4 * DAY))
    assert later.find_officer("o1", ends) is not None
    assert later.find_officer("o1", ends + 300_001) is None
    assert receive(register, grant(register, now=NOW + DAY), now=ends + DAY) == TrustFault.EXPIRED


def test_a_key_has_one_officer() -> None:
    register = open_register(grant(Register(KEYS)))
    shared = make_fields("o2").keys
    assert shared is not None
    double = grant(register, "o2", keys=make_fields("o1").keys)
    assert receive(register, double, "o2") == TrustFault.CONFLICT
    assert "a key of officer o1" in str(register.refusals["o2"])
    revoked = revoke_officer(require_newest(register), effective_at=NOW, now=NOW)
    assert receive(register, sign(revoked, ONE)) == ""
    assert receive(register, double, "o2") == ""


def test_history_and_refusals_are_bounded() -> None:
    register, now = open_register(grant(Register(KEYS))), NOW
    for _ in range(HISTORY_MAX + 3):
        now += 60_000
        change = change_officer("CH", "o1", require_newest(register, now=now), OfficerFields(), days=90, now=now)
        assert receive(register, sign(change, ONE), now=now) == ""
    assert len(register._history["o1"]) == HISTORY_MAX
    for number in range(REFUSALS_MAX + 10):
        register.receive(f"x{number}", None, NOW)
    assert len(register.refusals) == REFUSALS_MAX


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"days": OFFICER_DAYS_MAX + 1}, "at most 90 days"),
        ({"roles": ("prosecutor",)}, "roles"),
        ({"name": " x"}, "printable text"),
        ({"keys": ()}, "keys"),
        ({"agency": None}, "agency"),
        ({"officer_id": "Müller"}, "id"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_signed(changes: dict[str, object], message: str) -> None:
    days, officer_id = changes.pop("days", 90), changes.pop("officer_id", "o1")
    with pytest.raises(InputError, match=message):
        change_officer("CH", officer_id, None, make_fields(**changes), days=days, now=NOW)  # type: ignore[arg-type]


def test_a_record_survives_its_encoding() -> None:
    record = grant(Register(KEYS))
    assert decode_record(record.encode()) == record
    assert OfficerEntry.model_validate_json(json.dumps(json.loads(record.document)["signed"])) == open_record(record)


def test_altered_bytes_are_refused_and_raise_nothing() -> None:
    granted = grant(Register(KEYS))
    register = open_register(granted)
    change = change_officer("CH", "o1", require_newest(register), OfficerFields(), days=90, now=NOW + DAY)
    value, random = sign(change, ONE).encode(), Random(1)
    assert receive(Register(KEYS), value, now=NOW + DAY) == ""
    for _ in range(1000):
        data = bytearray(value)
        for _ in range(random.randint(1, 3)):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        fresh = Register(KEYS)
        assert bytes(data) == value or receive(fresh, bytes(data), now=NOW + DAY) != ""
        assert bytes(data) == value or fresh.find_officer("o1", NOW + DAY) is None
