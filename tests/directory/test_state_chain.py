"""What a reader accepts of a State's directory topic: every attack is refused, and the last good entry stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.directory.state_chain import KEYS_KEY, StateChain
from sharing.directory.statement import ENTRY_BYTES_MAX, NUMBER_MAX, decode_statement, sign_statement
from sharing.model.times import HOUR_MS
from sharing.trust.faults import TrustFault
from sharing.trust.public_keys import KeyRole
from tests.directory.signed_states import SignedState, encode, name_of
from tests.kafka.directory_fixtures import encode as encode_unsigned
from tests.trust.trust_fixtures import DAY, EXAMPLES, NOW, TOLERANCE, make_signer, resign

HOUR = HOUR_MS
LATER = NOW + HOUR


@pytest.fixture
def de() -> SignedState:
    return SignedState("DE")


def fault_of(chain: StateChain, key: str, value: bytes | None, now: int) -> TrustFault | None:
    error = chain.receive(key, value, now)
    return None if error is None else error.fault


def test_the_entry_of_a_pinned_state_is_in_force(de: SignedState) -> None:
    chain = de.open_chain()
    assert name_of(chain, NOW) == "A"
    assert chain.get_keys(NOW) == de.keys
    assert chain.find_fault(NOW) is None
    assert fault_of(chain, "DE", de.announce("B", now=LATER), LATER) is None
    assert name_of(chain, LATER) == "B"


def flip_last_bit(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


ATTACKS: dict[str, tuple[Callable[[SignedState], bytes | None], TrustFault]] = {
    "unsigned": (lambda _: encode_unsigned("DE"), TrustFault.UNSIGNED),
    "a tombstone": (lambda _: None, TrustFault.UNSIGNED),
    "empty": (lambda _: b"", TrustFault.UNSIGNED),
    "junk": (lambda _: b"junk", TrustFault.MALFORMED),
    "truncated": (lambda de: de.announce("B")[:-1], TrustFault.MALFORMED),
    "too large": (lambda _: bytes(ENTRY_BYTES_MAX + 1_001), TrustFault.MALFORMED),
    "signed by another State as its own": (lambda _: SignedState("FR").announce("B"), TrustFault.WRONG_STATE),
    "signed by another State in the name of DE": (
        lambda de: encode(sign_statement(decode_statement(de.announce("B")).content, SignedState("FR").get_signer())),
        TrustFault.UNKNOWN_KEY,
    ),
    "signed by the operator": (
        lambda de: encode(sign_statement(decode_statement(de.announce("B")).content, make_signer("operator"))),
        TrustFault.UNKNOWN_KEY,
    ),
    "an altered signature": (lambda de: flip_last_bit(de.announce("B")), TrustFault.BAD_SIGNATURE),
    "by the gate's key": (
        lambda de: encode(sign_statement(decode_statement(de.announce("B")).content, de.get_signer(KeyRole.GATE))),
        TrustFault.WRONG_PURPOSE,
    ),
    "an unknown algorithm": (
        lambda de: encode(
            replace(s := decode_statement(de.announce("B")), signature=replace(s.signature, algorithm="none"))
        ),
        TrustFault.UNKNOWN_ALGORITHM,
    ),
    "the same content under another signature": (
        lambda de: flip_last_bit(encode(de.last)) if de.last else None,
        TrustFault.BAD_SIGNATURE,
    ),
    "the same number": (lambda de: de.alter(entry=None), TrustFault.CONFLICT),
    "older": (lambda de: de.alter(announcement=1, sequence=1), TrustFault.ROLLED_BACK),
    "a renewal of an older announcement": (
        lambda de: de.alter(announcement=NOW // 1000, sequence=NOW // 1000 + 9),
        TrustFault.ROLLED_BACK,
    ),
    "a renewal of something else": (lambda de: de.alter(sequence=NOW // 1000 + 2), TrustFault.CONFLICT),
    "expired": (lambda de: de.announce("B", now=NOW - 24 * HOUR - TOLERANCE), TrustFault.EXPIRED),
    "from the future": (lambda de: de.announce("B", now=LATER + TOLERANCE + 1), TrustFault.NOT_YET_VALID),
    "valid for too long": (
        lambda de: (de.announce("B"), de.alter(expires_at=NOW + 8 * 24 * HOUR))[1],
        TrustFault.VALID_TOO_LONG,
    ),
    "valid for no time": (lambda de: (de.announce("B"), de.alter(expires_at=NOW))[1], TrustFault.MALFORMED),
    "with a number that is none": (lambda de: de.alter(sequence=NUMBER_MAX + 1), TrustFault.MALFORMED),
    "with a newer key statement": (
        lambda de: (de.announce("B"), de.alter(key_statement=2))[1],
        TrustFault.VERSION_MISSING,
    ),
    "with the entry of another State": (
        lambda de: (de.announce("B"), de.alter(entry=encode_unsigned("FR")))[1],
        TrustFault.WRONG_STATE,
    ),
    "with an entry that is none": (lambda de: (de.announce("B"), de.alter(entry=b"junk"))[1], TrustFault.MALFORMED),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_replaces_an_entry_is_refused_and_the_entry_stays(de: SignedState, attack: str) -> None:
    make, fault = ATTACKS[attack]
    chain = de.open_chain()
    last = de.last
    assert fault_of(chain, "DE", make(de), LATER) is fault
    assert name_of(chain, LATER) == "A"
    seen = chain.find_fault(LATER)
    assert seen is not None
    assert seen.fault is fault
    assert "\n" not in str(seen)
    de.last = last
    assert fault_of(chain, "DE", de.renew(now=LATER), LATER) is None  # and a later good one is accepted
    assert chain.find_fault(LATER) is None


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_new_reader_that_is_shown_the_same_has_no_entry(de: SignedState, attack: str) -> None:
    chain = de.open_chain(announced=False)
    de.announce()
    make, fault = ATTACKS[attack]
    refused = fault_of(chain, "DE", make(de), LATER)
    if fault in {TrustFault.CONFLICT, TrustFault.ROLLED_BACK}:  # the State has signed it, and nobody has seen another
        assert refused is None
        return
    assert refused is fault
    assert chain.get_entry(LATER) is None
    assert chain.get_keys(LATER) is None


def test_a_frozen_entry_ends_by_the_readers_clock(de: SignedState) -> None:
    chain = de.open_chain()
    end = NOW + 24 * HOUR + TOLERANCE
    assert name_of(chain, end) == "A"
    entry = chain.get_entry(end)
    assert entry is not None
    assert not entry.has_expired(end - 1)
    assert entry.has_expired(end)  # also where nobody asks the chain
    assert chain.get_entry(end + 1) is None
    assert chain.get_keys(end + 1) is None  # a revocation may be held back with it
    fault = chain.find_fault(end + 1)
    assert fault is not None
    assert fault.fault is TrustFault.EXPIRED


@pytest.mark.parametrize("hours", [-30, -2, 26, 30])
def test_with_a_clock_that_is_off_by_hours_there_is_no_entry_until_it_is_set(de: SignedState, hours: int) -> None:
    wrong = NOW + hours * HOUR
    chain = StateChain(de.pin)
    for key, value in (("root.1", de.root_data), (KEYS_KEY, de.keys_data), ("DE", de.announce())):
        chain.receive(key, value, wrong)
    assert chain.get_entry(wrong) is None
    fault = chain.find_fault(wrong)
    assert fault is not None
    assert fault.fault is (TrustFault.NOT_YET_VALID if hours < 0 else TrustFault.EXPIRED)
    chain.retry_refused(NOW)
    assert name_of(chain, NOW) == "A"
    assert chain.find_fault(NOW) is None


def test_a_removal_stays_and_is_not_undone_by_what_came_before(de: SignedState) -> None:
    chain = de.open_chain()
    before = de.last
    assert before is not None
    assert fault_of(chain, "DE", de.announce(None, now=LATER), LATER) is None
    removal = de.last
    assert chain.get_entry(LATER) is None
    assert chain.is_removed(LATER)
    assert chain.find_fault(LATER) is None
    assert chain.get_keys(LATER) == de.keys  # what the State sends is still believed
    assert fault_of(chain, "DE", encode(before), LATER) is TrustFault.ROLLED_BACK
    de.last = before
    for hour in range(2, 5):  # a gate that has not seen the removal goes on with the renewals
        now = NOW + hour * HOUR
        assert fault_of(chain, "DE", de.renew(now=now), now) is TrustFault.ROLLED_BACK
        assert chain.get_entry(now) is None
    de.last = removal
    now = NOW + 5 * HOUR
    assert fault_of(chain, "DE", de.renew(now=now), now) is None
    assert chain.is_removed(now)
    assert fault_of(chain, "DE", de.announce("B", now=now), now) is None  # a person may announce again
    assert name_of(chain, now) == "B"


def test_of_two_announcements_with_one_number_the_first_counts_and_the_other_is_tried_again(de: SignedState) -> None:
    chain = de.open_chain()
    before = de.last
    first, de_last = de.announce("first", now=LATER), de.last
    de.last = before
    second = de.announce("second", now=LATER + 1)
    assert fault_of(chain, "DE", first, LATER + 1) is None
    assert fault_of(chain, "DE", second, LATER + 1) is TrustFault.CONFLICT
    assert name_of(chain, LATER + 1) == "first"
    de.last = de_last
    assert fault_of(chain, "DE", de.announce("second", now=LATER + 2), LATER + 2) is None
    assert name_of(chain, LATER + 2) == "second"


def test_a_renewal_never_replaces_an_announcement_that_came_meanwhile(de: SignedState) -> None:
    renewal_first, announcement_first = de.open_chain(), de.open_chain(announced=False)
    announcement_first.receive("DE", encode(de.last), NOW) if de.last else None
    before = de.last
    announced = de.announce(None, now=LATER)
    de.last = before
    renewed = de.renew(now=LATER)
    for chain, order in ((renewal_first, (renewed, announced)), (announcement_first, (announced, renewed))):
        for value in order:
            chain.receive("DE", value, LATER)
        assert chain.is_removed(LATER)


def test_a_revoked_key_announces_nothing_more_and_what_was_verified_stays(de: SignedState) -> None:
    chain = de.open_chain()
    stolen = de.announce("thief", now=LATER)
    assert fault_of(chain, KEYS_KEY, de.revoke(now=LATER), LATER) is None
    assert fault_of(chain, "DE", stolen, LATER) is TrustFault.REVOKED
    assert name_of(chain, LATER) == "A"
    keys = chain.get_keys(LATER)
    assert keys is not None
    assert keys.statement.find_usable_key(KeyRole.DIRECTORY, LATER) is None


def test_a_thief_cannot_use_up_the_numbers(de: SignedState) -> None:
    chain = de.open_chain()
    genuine = de.last
    thief = de.alter(announcement=NUMBER_MAX, sequence=NUMBER_MAX, entry=None)
    assert fault_of(chain, "DE", thief, NOW) is None
    assert fault_of(chain, KEYS_KEY, de.rotate_directory_key(now=LATER), LATER) is None
    assert fault_of(chain, KEYS_KEY, de.revoke(now=LATER), LATER) is None
    assert chain.find_newest(LATER) is None
    de.last, de.number = genuine, 2
    assert fault_of(chain, "DE", de.announce("B", now=LATER), LATER) is None
    assert name_of(chain, LATER) == "B"


def test_what_was_signed_by_a_key_that_is_replaced_cannot_be_brought_back(de: SignedState) -> None:
    chain = de.open_chain()
    old = encode(de.last) if de.last else b""
    chain.receive(KEYS_KEY, de.rotate_directory_key(now=LATER), LATER)
    de.number = 2
    assert fault_of(chain, "DE", de.announce("B", now=LATER), LATER) is None
    assert fault_of(chain, "DE", old, LATER) is TrustFault.ROLLED_BACK
    assert name_of(chain, LATER) == "B"


def test_a_thief_cannot_use_up_the_numbers_before_a_planned_revocation(de: SignedState) -> None:
    """The thief has read the statement that plans it, and names it."""
    chain, effective_at = de.open_chain(), LATER + 60_000
    genuine = de.last
    assert fault_of(chain, KEYS_KEY, de.rotate_directory_key(now=LATER), LATER) is None
    assert fault_of(chain, KEYS_KEY, de.revoke(now=LATER, effective_at=effective_at), LATER) is None
    newest = de.keys.statement.version
    thief = de.alter(
        announcement=NUMBER_MAX, sequence=NUMBER_MAX, entry=None, key_statement=newest, issued_at=LATER,
        expires_at=LATER + HOUR,
    )  # fmt: skip
    assert fault_of(chain, "DE", thief, LATER) is None
    de.last, de.number = genuine, 2
    assert fault_of(chain, "DE", de.announce("B", now=effective_at), effective_at) is None
    assert name_of(chain, effective_at) == "B"


def test_what_a_revoked_key_has_replaced_does_not_come_back(de: SignedState) -> None:
    """Also not for a reader that has never seen it: what it holds was announced later."""
    late, chain = de.open_chain(announced=False), de.open_chain()
    old = encode(de.last) if de.last else b""
    rotated = de.rotate_directory_key(now=LATER)
    de.number = 2
    removed = de.announce(None, now=LATER)
    revoked = de.revoke(number=2, now=LATER + 1)
    for each in (chain, late):
        assert fault_of(each, KEYS_KEY, rotated, LATER) is None
        assert fault_of(each, "DE", removed, LATER) is None
        assert fault_of(each, KEYS_KEY, revoked, LATER + 1) is None
        assert fault_of(each, "DE", old, LATER + 1) is TrustFault.ROLLED_BACK
        assert each.is_removed(LATER + 1)


def test_who_holds_back_a_revocation_holds_back_the_entry_as_well(de: SignedState) -> None:
    chain = de.open_chain()
    held_back = de.revoke(KeyRole.GATE, now=LATER)
    assert fault_of(chain, "DE", de.renew(now=LATER), LATER) is TrustFault.VERSION_MISSING
    end = NOW + 24 * HOUR + TOLERANCE + 1
    assert chain.get_keys(end) is None
    assert fault_of(chain, KEYS_KEY, held_back, LATER) is None
    assert chain.find_fault(LATER) is None  # the statement that had been refused was tried again


def test_an_older_key_statement_and_an_older_root_are_refused(de: SignedState) -> None:
    chain, first_keys, first_root = de.open_chain(), de.keys_data, de.root_data
    chain.receive(KEYS_KEY, de.revoke(KeyRole.GATE, now=LATER), LATER)
    assert fault_of(chain, KEYS_KEY, first_keys, LATER) is TrustFault.ROLLED_BACK
    root, keys = de.rotate_root(now=LATER)
    assert fault_of(chain, "root.2", root, LATER) is None
    assert fault_of(chain, KEYS_KEY, keys, LATER) is None
    assert fault_of(chain, "root.1", first_root, LATER) is None  # it stays in the topic, and changes nothing
    assert chain.root == de.root
    assert fault_of(chain, KEYS_KEY, first_keys, LATER) is TrustFault.ROLLED_BACK
    assert chain.get_keys(LATER) == de.keys
    other = resign(root, lambda signed: signed.update(online_days_max=29), "DE")
    assert fault_of(chain, "root.2", other, LATER) is TrustFault.CONFLICT
    assert fault_of(chain, "root.7", root, LATER) is TrustFault.MALFORMED


def test_records_may_arrive_in_any_order(de: SignedState) -> None:
    records = [("root.1", de.root_data)]
    root, keys = de.rotate_root(now=NOW)
    records += [("root.2", root), (KEYS_KEY, keys), ("DE", de.announce())]
    for order in (records[::-1], [records[index] for index in (3, 1, 0, 2)], [records[i] for i in (2, 3, 1, 0)]):
        chain = StateChain(de.pin)
        for key, value in order:
            chain.receive(key, value, NOW)
        assert name_of(chain, NOW) == "A"
        assert chain.find_fault(NOW) is None


def test_after_a_root_expired_nothing_of_its_state_is_used(de: SignedState) -> None:
    de = SignedState("DE")
    chain = de.open_chain()
    late = NOW + 366 * DAY
    assert fault_of(chain, "DE", de.announce("B", now=late), late) is TrustFault.VERSION_MISSING
    assert chain.get_entry(late) is None
    fault = chain.find_fault(late)
    assert fault is not None
    assert fault.fault is TrustFault.EXPIRED
    assert "root" in str(fault)


def test_another_root_than_the_pinned_one_is_refused(de: SignedState) -> None:
    chain = StateChain(replace(de.pin, fingerprint="0" * 64))
    assert fault_of(chain, "root.1", de.root_data, NOW) is TrustFault.NOT_PINNED
    assert fault_of(chain, KEYS_KEY, de.keys_data, NOW) is TrustFault.VERSION_MISSING
    assert fault_of(chain, "DE", de.announce(), NOW) is TrustFault.VERSION_MISSING
    assert chain.get_entry(NOW) is None


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["announce", "remove", "renew", "branch", "replay", "tombstone", "forge"]),
            st.integers(0, 20),
        ),
        max_size=25,
    )
)
def test_what_is_in_force_never_goes_back(steps: list[tuple[str, int]]) -> None:
    """Whatever an operator replays, in any order, readers keep the newest announcement that they have seen."""
    de = SignedState("DE")
    chain, history = de.open_chain(), []
    for number, (step, choice) in enumerate(steps, start=1):
        now = NOW + number * 60_000
        if de.last is not None:
            history.append(de.last)
        before = chain.statement
        match step:
            case "announce":
                value: bytes | None = de.announce(f"A{number}", now=now)
            case "remove":
                value = de.announce(None, now=now)
            case "renew":
                value = de.renew(now=now)
            case "branch":
                kept, de.last = de.last, history[choice % len(history)]
                value = de.renew(now=now)
                de.last = kept
            case "replay":
                value = encode(history[choice % len(history)])
            case "tombstone":
                value = None
            case _:
                value = encode(sign_statement(history[0].content, make_signer("operator")))
        chain.receive("DE", value, now)
        assert before is not None
        assert chain.statement is not None
        assert chain.statement.content.number >= before.content.number
        if step in {"announce", "remove"}:
            assert chain.statement == de.last
        assert chain.is_removed(now) == (chain.statement.content.entry is None)
