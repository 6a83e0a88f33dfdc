"""The seal keys of other States: a selection that is kept is always the one that would be made now."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from sharing.seal import recipient_keys
from sharing.seal.recipient_keys import SealKeySelection, select_seal_keys
from sharing.trust.ceremonies import issue_keys, revoke_keys
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from sharing.trust.public_keys import KeyRole
from tests.trust.trust_fixtures import DAY, NOW, make_keys, make_online, make_root, sign_statement

STATES = ("DE", "FR", "IT")


def make_trusted(state: str, begins: int, revoked_at: int | None = None) -> TrustedKeys:
    """Return keys of a State whose seal key has a successor that begins while it is still valid."""
    root, _ = make_root(state=state, now=begins, days=40)
    keys, _ = make_keys(root, now=begins, days=20, prefix=state)
    now = begins + 15 * DAY
    named = {KeyRole.SEAL: (make_online(KeyRole.SEAL, 2, state), make_online(KeyRole.SEAL, 3, state).key_id)}
    statement = issue_keys(root, keys, named, days=10, now=now)
    keys = accept_key_statement(root, sign_statement(statement), now=now, previous=keys)
    if revoked_at is not None:
        key_id = make_online(KeyRole.SEAL, 2, state).key_id
        statement = revoke_keys(root, keys, [key_id], effective_at=revoked_at, days=10, now=now)
        keys = accept_key_statement(root, sign_statement(statement), now=now, previous=keys)
    return keys


@pytest.fixture(scope="module")
def trusted() -> Mapping[str, TrustedKeys]:
    return {
        "DE": make_trusted("DE", NOW),
        "FR": make_trusted("FR", NOW + DAY // 2),
        "IT": make_trusted("IT", NOW, revoked_at=NOW + 18 * DAY),
    }


def list_instants(trusted: Mapping[str, TrustedKeys]) -> list[int]:
    """Return the instants around every time that the keys, statements and roots name."""
    named = {NOW, NOW + 100 * DAY}
    for keys in trusted.values():
        for period in (keys.root.metadata, keys.statement):
            named |= {period.issued_at, period.expires_at}
        for key in keys.statement.keys:
            named |= {key.valid_from, key.valid_until}
        named |= {item.effective_at for item in keys.statement.revocations}
    return sorted(
        instant + offset + step
        for instant in named
        for offset in (-CLOCK_TOLERANCE_MS, 0, CLOCK_TOLERANCE_MS)
        for step in (-1, 0, 1)
    )


def test_a_kept_selection_is_the_one_of_every_instant(trusted: Mapping[str, TrustedKeys]) -> None:
    instants = list_instants(trusted)
    orders = [instants, instants[::-1], random.Random(1).sample(instants, len(instants))]
    expected = {now: select_seal_keys(trusted, now) for now in instants}
    assert len({tuple(sorted((state, key.key_id) for state, key in found.items())) for found in expected.values()}) > 4
    for order in orders:
        selection = SealKeySelection()
        assert [selection.select(trusted, now) for now in order] == [expected[now] for now in order]


def test_it_is_made_again_only_when_it_may_change(
    trusted: Mapping[str, TrustedKeys], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def count(keys: Mapping[str, TrustedKeys], now: int) -> object:
        made.append(now)
        return select_seal_keys(keys, now)

    monkeypatch.setattr(recipient_keys, "select_seal_keys", count)
    selection = SealKeySelection()
    first = selection.select(trusted, NOW + 16 * DAY)
    assert all(selection.select(trusted, NOW + 16 * DAY + second * 1000) is first for second in range(100))
    assert len(made) == 1
    assert selection.select(dict(trusted), NOW + 16 * DAY) is first  # the same keys, in another object
    assert len(made) == 2
    without_italy = {state: keys for state, keys in trusted.items() if state != "IT"}
    assert set(selection.select(without_italy, NOW + 16 * DAY)) == {"DE", "FR"}
    assert selection.select({}, NOW) == {}
