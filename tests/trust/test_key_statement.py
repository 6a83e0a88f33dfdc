"""Key statements: what is refused, and that a State's own ceremonies never make what a reader refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.officers.entry import GRANT_DAYS_MAX
from sharing.topology.topic_kinds import COMPACTION_LAG_MAX_MS
from sharing.topology.topics import EXCHANGE_RETENTION_MS, INBOX, INBOX_URGENT
from sharing.trust.ceremonies import find_successor, issue_keys, make_next_root, renew_statement, revoke_keys
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from sharing.trust.online_key import KEEP_ENDED_DAYS, KEEP_ENDED_GATE_DAYS, KEEP_ENDED_REGISTRAR_DAYS, Revocation
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import TrustedRoot, accept_next_root
from tests.trust.trust_fixtures import (
    DAY,
    EXAMPLES,
    NOW,
    ROOT_KEYS,
    TOLERANCE,
    expect_fault,
    find_fault,
    make_keys,
    make_online,
    make_root,
    make_signer,
    resign,
    sign_root,
    sign_statement,
)

ROOT, _ = make_root()
KEYS, DOCUMENT = make_keys(ROOT)
LATER = NOW + DAY
Change = Callable[[dict[str, Any]], object]


def rotate(
    previous: TrustedKeys, *roles: KeyRole, now: int = LATER, number: int = 2, root: TrustedRoot = ROOT
) -> bytes:
    named = {role: (make_online(role, number), make_online(role, number + 1).key_id) for role in roles}
    return sign_statement(issue_keys(root, previous, named, days=30, now=now))


def revoke(previous: TrustedKeys, key_id: str, *, at: int = LATER, now: int = LATER) -> bytes:
    return sign_statement(revoke_keys(ROOT, previous, [key_id], effective_at=at, days=30, now=now))


def find_key(role: KeyRole, keys: TrustedKeys = KEYS) -> Any:
    return keys.statement.list_keys(role)[-1]


def accept(
    data: bytes, previous: TrustedKeys | None = KEYS, *, now: int = LATER, root: TrustedRoot = ROOT
) -> TrustedKeys:
    return accept_key_statement(root, data, now=now, previous=previous)


def test_online_keys_have_the_six_roles() -> None:
    assert [str(key.role) for key in KEYS.statement.keys] == [
        "gate", "conversation", "directory", "registrar", "desk", "seal",
    ]  # fmt: skip
    assert accept(DOCUMENT, now=NOW) == KEYS  # read again


def test_the_successor_comes_into_force() -> None:
    keys = accept(rotate(KEYS, KeyRole.GATE))
    first, second = keys.statement.list_keys(KeyRole.GATE)
    assert first.successor == second.key_id == find_key(KeyRole.GATE).successor
    assert keys.statement.find_usable_key(KeyRole.GATE, LATER) == second
    assert keys.statement.find_usable_key(KeyRole.GATE, LATER - 1) == first


@pytest.mark.parametrize("back", [0, 1, 200_000])
def test_a_successor_follows_although_the_clock_was_set_back(back: int) -> None:
    keys = accept(rotate(KEYS, KeyRole.GATE, now=NOW - back), now=NOW)
    first, second = keys.statement.list_keys(KeyRole.GATE)
    assert (first, second.valid_from) == (find_key(KeyRole.GATE), NOW + 1)


def test_no_key_is_issued_that_is_not_valid_yet() -> None:
    """The clock was ahead when the last one was issued: keys would be used up, and none would be in force."""
    with pytest.raises(InputError, match=r"the last gate key is valid only from 2027-01-15T08:00:00.000Z.*the clock"):
        rotate(KEYS, KeyRole.GATE, now=NOW - DAY)


def test_a_key_of_a_few_days_does_not_end_the_others() -> None:
    named = {KeyRole.GATE: (make_online(KeyRole.GATE, 2), make_online(KeyRole.GATE, 3).key_id)}
    keys = accept(sign_statement(issue_keys(ROOT, KEYS, named, days=1, now=LATER)))
    assert accept(sign_statement(keys.statement), keys, now=LATER + 2 * DAY) == keys
    assert keys.statement.list_keys(KeyRole.GATE)[-1].valid_until == LATER + DAY
    assert keys.statement.find_usable_key(KeyRole.SEAL, LATER + 2 * DAY) == find_key(KeyRole.SEAL)


def test_another_key_than_the_successor_is_refused() -> None:
    data = rotate(KEYS, KeyRole.GATE, number=7)
    expect_fault(TrustFault.NOT_THE_SUCCESSOR, lambda: accept(data))
    expect_fault(TrustFault.NOT_THE_SUCCESSOR, lambda: accept(data, None))


@pytest.mark.parametrize("which", ["key", "successor"])
def test_after_a_revocation_another_key_may_follow(which: str) -> None:
    key = find_key(KeyRole.GATE)
    keys = accept(revoke(KEYS, key.key_id if which == "key" else key.successor))
    assert find_successor(keys, KeyRole.GATE, LATER) is None
    assert find_successor(keys, KeyRole.DESK, LATER) == find_key(KeyRole.DESK).successor
    replaced = accept(rotate(keys, KeyRole.GATE, number=7), keys)
    assert replaced.statement.find_usable_key(KeyRole.GATE, LATER) == find_key(KeyRole.GATE, replaced)
    assert accept(rotate(keys, KeyRole.GATE, number=7), KEYS) == replaced  # by a reader that missed one


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda s: s["keys"][0].update(role="auditor"), TrustFault.UNKNOWN_ROLE),
        (lambda s: s["keys"][0].update(algorithm="ml-dsa-44"), TrustFault.UNKNOWN_ALGORITHM),
        (lambda s: s["keys"][0].pop("algorithm"), TrustFault.MALFORMED),
        (lambda s: s["keys"][0].update(role="seal"), TrustFault.MALFORMED),
        (lambda s: s["keys"][5].update(role="gate"), TrustFault.MALFORMED),
        (lambda s: s["keys"][0].pop("successor"), TrustFault.MALFORMED),
        (lambda s: s["keys"][0].update(successor=find_key(KeyRole.GATE).key_id), TrustFault.MALFORMED),
        (lambda s: s["keys"][0].update(successor=s["keys"][1]["successor"]), TrustFault.MALFORMED),
        (lambda s: s["keys"].append({**s["keys"][0], "role": "desk"}), TrustFault.MALFORMED),
        (lambda s: s["keys"][0].update(valid_until=s["keys"][0]["valid_from"]), TrustFault.MALFORMED),
        (lambda s: s["keys"][0].update(valid_until="2030-01-01T00:00:00.000Z"), TrustFault.VALID_TOO_LONG),
        (lambda s: s.update(expires_at="2030-01-01T00:00:00.000Z"), TrustFault.VALID_TOO_LONG),
        (lambda s: s["keys"][0].update(public=ROOT_KEYS[0].public_key.public), TrustFault.WRONG_PURPOSE),
        (lambda s: s.update(state="DE"), TrustFault.WRONG_STATE),
        (lambda s: s.update(root_version=2), TrustFault.VERSION_MISSING),
        (lambda s: s.update(kind="root"), TrustFault.WRONG_KIND),
        (lambda s: s.update(revocations=[{"key": "0" * 64, "effective_at": s["issued_at"]}] * 2), TrustFault.MALFORMED),
        (lambda s: s.update(expires_at=s["issued_at"]), TrustFault.MALFORMED),
    ],
)  # fmt: skip
def test_a_wrong_statement_is_refused_although_all_root_keys_have_signed(change: Change, fault: TrustFault) -> None:
    expect_fault(fault, lambda: accept(resign(DOCUMENT, change), None))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda s: s.update(issued_at="2027-01-15T08:00:01.000Z"), TrustFault.CONFLICT),
        (lambda s: s["keys"].pop(), TrustFault.CONFLICT),
        (lambda s: s.update(version=2), None),
        (lambda s: alter_key(s, valid_until="2027-02-04T08:00:00.001Z"), TrustFault.KEY_CHANGED),
        (lambda s: alter_key(s, successor="0" * 64), TrustFault.KEY_CHANGED),
        (lambda s: alter_key(s, valid_from="2027-01-15T08:00:00.001Z"), TrustFault.KEY_CHANGED),
        (lambda s: alter_key(s, role="desk"), TrustFault.NOT_THE_SUCCESSOR),
    ],
)  # fmt: skip
def test_what_was_accepted_is_not_altered(change: Change, fault: TrustFault | None) -> None:
    keys, data = make_keys(ROOT, days=20)
    assert find_fault(lambda: accept(resign(data, change), keys, now=NOW)) is fault


def alter_key(statement: dict[str, Any], **changes: str) -> None:
    statement["version"] = 2
    statement["keys"][0].update(changes)


def make_row(number: int, **changes: str) -> dict[str, Any]:
    """Return a gate key as a statement lists it, in force a second after the first one."""
    row = find_key(KeyRole.GATE).model_dump(mode="json")
    public, successor = make_online(KeyRole.GATE, number).public, make_online(KeyRole.GATE, number + 1).key_id
    return {**row, "public": public, "successor": successor, "valid_from": "2027-01-15T08:00:01.000Z", **changes}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("number", [2, 7])
def test_a_key_is_not_exchanged_by_no_longer_listing_the_one_before(version: int, number: int) -> None:
    """Also not by a statement that pretends that the reader missed one."""
    data = resign(DOCUMENT, lambda s: (s.update(version=version), s["keys"].__setitem__(0, make_row(number))))
    expect_fault(TrustFault.KEY_CHANGED, lambda: accept(data))
    assert find_fault(lambda: accept(data, None)) is None  # by a reader that knows nothing yet


@pytest.mark.parametrize(
    ("days", "listed"),
    [
        (59, set(KeyRole)),
        (60, {KeyRole.GATE, KeyRole.REGISTRAR}),
        (395, {KeyRole.GATE, KeyRole.REGISTRAR}),
        (396, set()),
    ],
)
def test_a_key_is_listed_for_some_time_after_its_end(days: int, listed: set[KeyRole]) -> None:
    """30 days; a year if it has signed what is needed for so long: the State's own inbox, and grants of officers."""
    root, _ = make_root(days=3660)
    now = NOW + days * DAY
    renewed = renew_statement(root, KEYS, days=30, now=now)
    assert {key.role for key in renewed.keys} == listed
    assert find_fault(lambda: accept(sign_statement(renewed), KEYS, now=now, root=root)) is None
    for key in renewed.keys:
        without = renewed.model_copy(update={"keys": tuple(other for other in renewed.keys if other != key)})
        data = sign_statement(without)
        assert find_fault(partial(accept, data, KEYS, now=now, root=root)) is TrustFault.KEY_CHANGED


def test_a_gate_key_is_listed_for_as_long_as_an_inbox_keeps_what_it_signed() -> None:
    longest = max(INBOX.retention_ms, INBOX_URGENT.retention_ms) + COMPACTION_LAG_MAX_MS
    assert longest <= KEEP_ENDED_GATE_DAYS * DAY
    assert KEEP_ENDED_DAYS * DAY >= EXCHANGE_RETENTION_MS


def test_a_registrar_key_is_listed_for_as_long_as_one_registrar_extends_what_it_granted() -> None:
    assert GRANT_DAYS_MAX <= KEEP_ENDED_REGISTRAR_DAYS


def test_no_key_is_inserted_before_a_known_one() -> None:
    """Backdated, and the known one revoked, so that any key may follow it: what it signed would seem older."""
    known = find_key(KeyRole.GATE)
    keys = accept(revoke(KEYS, known.key_id))
    inserted = make_row(
        7, successor=known.key_id, valid_from="2027-01-15T07:59:59.000Z", valid_until="2027-02-01T00:00:00.000Z"
    )
    data = resign(sign_statement(keys.statement), lambda s: (s.update(version=3), s["keys"].append(inserted)))
    expect_fault(TrustFault.NOT_THE_SUCCESSOR, lambda: accept(data, keys))


def test_the_validity_of_a_key_is_not_shortened() -> None:
    data = resign(
        DOCUMENT, lambda s: (s.update(version=2), s["keys"][0].update(valid_until="2027-01-20T08:00:00.000Z"))
    )
    expect_fault(TrustFault.KEY_CHANGED, lambda: accept(data))


def test_no_key_begins_far_in_the_future() -> None:
    """Keys begin in the order of succession: after such a key, none could begin for years."""
    for days, fault in ((29, None), (31, TrustFault.NOT_YET_VALID)):
        begin = NOW + days * DAY
        later = find_key(KeyRole.GATE).model_copy(
            update={
                "public": make_online(KeyRole.GATE, 2).public,
                "successor": make_online(KeyRole.GATE, 3).key_id,
                "valid_from": begin,
                "valid_until": begin + DAY,
            }
        )
        statement = KEYS.statement.model_copy(update={"version": 2, "keys": (*KEYS.statement.keys, later)})
        assert find_fault(partial(accept, sign_statement(statement))) is fault


def test_a_revocation_far_in_the_future_is_refused() -> None:
    """It would free the succession, and revoke nothing."""
    key = find_key(KeyRole.GATE)
    with pytest.raises(InputError, match="takes effect within 30 days"):
        revoke(KEYS, key.key_id, at=LATER + 31 * DAY)
    revocation = Revocation(key=key.key_id, effective_at=NOW + 31 * DAY)
    statement = KEYS.statement.model_copy(update={"version": 2, "revocations": (revocation,)})
    expect_fault(TrustFault.NOT_YET_VALID, lambda: accept(sign_statement(statement)))


@pytest.mark.parametrize("which", ["key", "successor"])
def test_until_a_revocation_takes_effect_only_the_successor_may_follow(which: str) -> None:
    key = find_key(KeyRole.GATE)
    effective = LATER + 5 * DAY
    keys = accept(revoke(KEYS, key.key_id if which == "key" else key.successor, at=effective))
    assert find_successor(keys, KeyRole.GATE, effective - 1) == key.successor
    assert find_successor(keys, KeyRole.GATE, effective) is None
    early, late = (rotate(keys, KeyRole.GATE, number=7, now=now) for now in (effective - 1, effective))
    expect_fault(TrustFault.NOT_THE_SUCCESSOR, lambda: accept(early, keys, now=effective))
    expect_fault(TrustFault.NOT_THE_SUCCESSOR, lambda: accept(early, None, now=effective))
    assert accept(late, keys, now=effective).statement.list_keys(KeyRole.GATE)[-1].valid_from == effective


@pytest.mark.parametrize("days", [7, 60])
def test_a_new_root_changes_how_long_new_keys_may_be_valid(days: int) -> None:
    change = make_next_root(ROOT, online_days_max=days, days=365, now=LATER)
    newest = accept_next_root(ROOT, sign_root(change, ROOT_KEYS))
    kept = accept(sign_statement(renew_statement(newest, KEYS, days=days, now=LATER)), root=newest)
    assert kept.statement.keys == KEYS.statement.keys  # they stay as they are, also if they are valid for longer
    named = {KeyRole.GATE: (make_online(KeyRole.GATE, 2), make_online(KeyRole.GATE, 3).key_id)}
    with pytest.raises(InputError, match=f"at most {days} days"):
        issue_keys(newest, kept, named, days=days + 1, now=LATER)
    issued = issue_keys(newest, kept, named, days=days, now=LATER)
    accept(sign_statement(issued), kept, root=newest)
    longer = issued.keys[-1].model_copy(update={"valid_until": LATER + (days + 1) * DAY})
    data = sign_statement(issued.model_copy(update={"keys": (*issued.keys[:-1], longer)}))
    expect_fault(TrustFault.VALID_TOO_LONG, lambda: accept(data, kept, root=newest))


def test_fewer_signatures_than_the_threshold_are_refused() -> None:
    data = sign_statement(KEYS.statement, ROOT_KEYS[:1])
    expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda: accept(data, None))
    strangers = [make_signer(f"stranger {number}") for number in range(3)]
    expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda: accept(sign_statement(KEYS.statement, strangers), None))


def test_an_older_statement_is_refused() -> None:
    keys = accept(rotate(KEYS, KeyRole.GATE))
    expect_fault(TrustFault.ROLLED_BACK, lambda: accept(DOCUMENT, keys))


def test_an_expired_statement_is_refused_by_the_readers_clock_with_tolerance() -> None:
    end = NOW + 30 * DAY
    assert accept(DOCUMENT, None, now=end + TOLERANCE) == KEYS
    expect_fault(TrustFault.EXPIRED, lambda: accept(DOCUMENT, None, now=end + TOLERANCE + 1))
    expect_fault(TrustFault.NOT_YET_VALID, lambda: accept(DOCUMENT, None, now=NOW - TOLERANCE - 1))


def test_nothing_is_accepted_under_an_expired_root() -> None:
    root, _ = make_root(days=10)
    _, data = make_keys(root)
    expect_fault(TrustFault.EXPIRED, lambda: accept(data, None, now=NOW + 11 * DAY, root=root))


def test_a_statement_must_be_signed_by_the_present_root_keys() -> None:
    others = [make_signer(f"other {number}") for number in range(2)]
    change = make_next_root(
        ROOT,
        added=[key.public_key for key in others],
        removed=[key.public_key.key_id for key in ROOT_KEYS[:2]],
        days=365,
        now=NOW,
    )
    newest = accept_next_root(ROOT, sign_root(change, [*ROOT_KEYS, *others]))
    expect_fault(TrustFault.THRESHOLD_NOT_MET, lambda: accept(DOCUMENT, root=newest))
    renewed = sign_statement(renew_statement(newest, KEYS, days=30, now=LATER), others)
    keys = accept(renewed, root=newest)
    assert keys.statement.keys == KEYS.statement.keys
    back = keys.statement.model_copy(update={"version": 3, "root_version": 1})
    expect_fault(TrustFault.ROLLED_BACK, lambda: accept(sign_statement(back, others), keys, root=newest))
    expect_fault(TrustFault.VERSION_MISSING, lambda: accept(sign_statement(accept(renewed, root=newest).statement)))


def test_a_revocation_stays_and_is_never_deferred() -> None:
    keys = accept(revoke(KEYS, find_key(KeyRole.GATE).key_id))
    later = renew_statement(ROOT, keys, days=30, now=LATER)
    dropped = sign_statement(later.model_copy(update={"revocations": ()}))
    expect_fault(TrustFault.REVOCATION_DROPPED, lambda: accept(dropped, keys))
    (revocation,) = keys.statement.revocations
    for change, is_accepted in ((1, False), (0, True), (-DAY, True)):
        moved = revocation.model_copy(update={"effective_at": revocation.effective_at + change})
        data = sign_statement(later.model_copy(update={"revocations": (moved,)}))
        if is_accepted:
            assert accept(data, keys).statement.revocations == (moved,)
        else:
            expect_fault(TrustFault.REVOCATION_DROPPED, partial(accept, data, keys))
    again = revoke_keys(ROOT, keys, [revocation.key], effective_at=LATER + DAY, days=30, now=LATER)
    assert again.revocations == keys.statement.revocations


def test_only_known_keys_are_revoked_and_only_for_as_long_as_allowed_keys_issued() -> None:
    with pytest.raises(InputError, match="rotate root"):
        revoke(KEYS, ROOT_KEYS[0].public_key.key_id)
    with pytest.raises(InputError, match="at most 30 days"):
        issue_keys(ROOT, KEYS, {}, days=31, now=NOW)


def test_a_statement_with_too_many_keys_is_not_made() -> None:
    def rotate_daily() -> None:
        keys = KEYS
        for number in range(2, 400):
            named = {KeyRole.GATE: (make_online(KeyRole.GATE, number), make_online(KeyRole.GATE, number + 1).key_id)}
            keys = TrustedKeys(issue_keys(ROOT, keys, named, days=30, now=LATER), "", ROOT)

    with pytest.raises(InputError, match="a key statement lists at most 256 keys"):
        rotate_daily()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["rotate", "rotate", "revoke key", "revoke successor", "renew"]),
        st.sampled_from(list(KeyRole)),
        st.sampled_from([0, 0, 1000, DAY, 20 * DAY, 70 * DAY]),
        st.booleans(),
    ),
    max_size=12,
)


@given(STEPS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_a_ceremony_makes_is_accepted_by_every_reader(steps: list[tuple[str, KeyRole, int, bool]]) -> None:
    """By one that reads each statement, by a new one, and by one that misses some."""
    root, _ = make_root(days=3660)
    keys, _ = make_keys(root)
    seldom, now, made = keys, NOW, 2
    for action, role, pause, is_read in steps:
        now += pause
        listed = keys.statement.list_keys(role)
        try:
            if action == "renew" or (not listed and action != "rotate"):
                statement = renew_statement(root, keys, days=30, now=now)
            elif action == "rotate":
                bound = find_successor(keys, role, now)
                number = next((n for n in range(1, made + 1) if make_online(role, n).key_id == bound), made + 1)
                made = max(made, number) + 1
                named = {role: (make_online(role, number), make_online(role, made).key_id)}
                statement = issue_keys(root, keys, named, days=30, now=now)
            else:
                target = listed[-1].key_id if action == "revoke key" else listed[-1].successor
                statement = revoke_keys(root, keys, [target], effective_at=now, days=30, now=now)
            data = sign_statement(statement)
            keys = accept(data, keys, now=now, root=root)
            assert accept(data, None, now=now, root=root) == keys
            if is_read:
                seldom = accept(data, seldom, now=now, root=root)
        except TrustError as error:
            raise AssertionError(f"{action} {role}: {error}") from error
