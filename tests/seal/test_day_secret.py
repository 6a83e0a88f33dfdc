"""Secrets of days, wrapped: they unwrap under the same wrapping key, for the same log and the same day only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes

from sharing.seal.day_secret import unwrap_day_secret, wrap_day_secret

KEYS = st.binary(min_size=32, max_size=32).map(SecretBytes)
LOGS = st.sampled_from(["ch.sharing/decisions/0", "ch.sharing/decisions/1", "de.sharing/decisions/0"])
DAYS = st.sampled_from(["2026-11-28", "2026-11-29"])


@given(KEYS, KEYS, LOGS, LOGS, DAYS, DAYS, st.binary(min_size=32, max_size=32))
def test_a_secret_unwraps_only_for_what_it_was_wrapped(
    key: SecretBytes, other_key: SecretBytes, log: str, other_log: str, day: str, other_day: str, secret: bytes
) -> None:
    wrapped = wrap_day_secret(key, log, day, secret)
    assert secret not in wrapped
    is_same = (key.get_secret_value(), log, day) == (other_key.get_secret_value(), other_log, other_day)
    assert unwrap_day_secret(other_key, other_log, other_day, wrapped) == (secret if is_same else None)


@given(st.binary(max_size=60), st.integers(0, 39), st.integers(1, 255))
def test_what_was_altered_does_not_unwrap(other: bytes, place: int, bits: int) -> None:
    key = SecretBytes(bytes(32))
    wrapped = wrap_day_secret(key, "ch.sharing/decisions/0", "2026-11-28", bytes(32))
    altered = wrapped[:place] + bytes([wrapped[place] ^ bits]) + wrapped[place + 1 :]
    for each in (other, altered):
        assert unwrap_day_secret(key, "ch.sharing/decisions/0", "2026-11-28", each) is None


def test_a_wrapped_secret_of_another_length_is_none() -> None:
    key = SecretBytes(bytes(32))
    wrapped = wrap_day_secret(key, "ch.sharing/decisions/0", "2026-11-28", bytes(24))
    assert unwrap_day_secret(key, "ch.sharing/decisions/0", "2026-11-28", wrapped) is None
