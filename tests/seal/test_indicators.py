"""What an agency publishes opens for the gate of its State alone, under its own id alone, and only unaltered."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sharing.seal import data_keys
from sharing.seal.data_keys import EPOCH_MESSAGES_MAX, EPOCH_MS_MAX
from sharing.seal.faults import SealError, SealFault
from sharing.seal.hpke import MemoryOpeningKey, wrap
from sharing.seal.indicator_record import INDICATOR_BYTES_MAX, NONCE_BYTES, encode_head, encode_info, hash_head
from sharing.seal.indicators import IndicatorOpener, IndicatorSealer
from sharing.seal.padding import LENGTH_CLASSES
from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import HEADER_LENGTH, RECORD_BYTES_MAX, get_codec
from sharing.serialization.framing import Framing, make_registry_header
from tests.seal.seal_fixtures import CANARY, HYBRID, expect_refusal, make_opening_key
from tests.trust.trust_fixtures import NOW

OWN, OTHER, POST_QUANTUM = make_opening_key("CH"), make_opening_key("CH 2"), make_opening_key("CH 3", HYBRID)
OPENING_KEYS = {key.public_key.key_id: key for key in (OWN, POST_QUANTUM)}
KEY = b"0190a5b0-0000-7000-8000-000000000001"
YEAR_2026 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CODEC = get_codec("sealed_indicator")


def make_sealer(seed: int = 1, **options: Any) -> IndicatorSealer:
    return IndicatorSealer("CH", random.Random(seed).randbytes, **options)


def seal(content: bytes = CANARY, key: bytes = KEY, seal_key: MemoryOpeningKey = OWN, state: str = "CH") -> bytes:
    sealer = IndicatorSealer(state, random.Random(1).randbytes)
    return sealer.seal_indicator(key, content, seal_key.public_key, NOW)


def open_one(value: bytes, key: bytes | None = KEY, opener: IndicatorOpener | None = None) -> bytes:
    """Return the content of one record; raise why it is refused."""
    (content,), refused = (opener or IndicatorOpener("CH")).open_values([value], [key], OPENING_KEYS)
    if refused:
        assert content is None
        raise refused[0]
    assert content is not None
    return content


@given(
    st.lists(st.tuples(st.binary(max_size=900), st.binary(max_size=40), st.booleans()), max_size=8),
    st.sampled_from([OWN, POST_QUANTUM]),
)
def test_records_of_several_publishers_open_and_show_nothing(
    records: list[tuple[bytes, bytes, bool]], seal_key: MemoryOpeningKey
) -> None:
    sealers = {False: make_sealer(1), True: make_sealer(2)}
    values = [sealers[first].seal_indicator(key, content, seal_key.public_key, NOW) for content, key, first in records]
    opened, refused = IndicatorOpener("CH").open_values(values, [key for _, key, _ in records], OPENING_KEYS)
    assert (opened, refused) == ([content for content, *_ in records], {})
    for value, (content, *_) in zip(values, records, strict=True):
        assert len(content) < 6 or content not in value
        assert CODEC.encode(CODEC.decode(value)) == value  # it is what the schema says


@pytest.mark.parametrize(
    "length",
    sorted({length + step for length in LENGTH_CLASSES if length <= INDICATOR_BYTES_MAX for step in (-2, -1, 0)}),
)
def test_every_length_opens_and_shows_its_class_only(length: int) -> None:
    content = (b"\x80\x00" * length)[:length]
    value = seal(content)
    assert open_one(value) == content
    assert len(CODEC.decode(value)["ciphertext"]) - 16 in LENGTH_CLASSES


def test_the_longest_indicator_is_sealed_into_a_record_that_is_accepted_and_a_longer_one_is_not() -> None:
    value = seal(bytes(INDICATOR_BYTES_MAX), seal_key=POST_QUANTUM)
    assert len(value) <= RECORD_BYTES_MAX
    assert open_one(value) == bytes(INDICATOR_BYTES_MAX)
    expect_refusal(SealFault.NOT_SEALABLE, lambda: seal(bytes(INDICATOR_BYTES_MAX + 1)))


@given(st.data(), st.booleans())
def test_an_altered_record_is_refused_and_its_neighbours_are_not(data: st.DataObject, is_known: bool) -> None:
    value = seal()
    position = data.draw(st.integers(0, len(value) - 1))
    altered = bytearray(value)
    altered[position] ^= data.draw(st.integers(1, 255))
    opener = IndicatorOpener("CH")
    if is_known:
        open_one(value, opener=opener)
    for bad in (bytes(altered), value[:position], value + b"\x00"):
        opened, refused = opener.open_values([value, bad, value], [KEY] * 3, OPENING_KEYS)
        assert opened == [CANARY, None, CANARY]
        assert list(refused) == [1]
        assert CANARY.decode() not in str(refused[1])
        assert str(refused[1]).isprintable()


def test_the_key_of_the_record_is_part_of_what_is_sealed() -> None:
    sealer = make_sealer()
    first, second = (sealer.seal_indicator(key, key, OWN.public_key, NOW) for key in (b"1", b"2"))
    opened, refused = IndicatorOpener("CH").open_values([second, first, first], [b"1", b"2", None], OPENING_KEYS)
    assert opened == [None] * 3
    assert {error.fault for error in refused.values()} == {SealFault.NOT_OPENED}
    assert len(refused) == 3


def _reseal(**changes: Any) -> bytes:
    return CODEC.encode({**CODEC.decode(seal()), **changes})


REFUSALS: dict[str, tuple[Callable[[], bytes], SealFault, str]] = {
    "another State": (lambda: seal(state="DE"), SealFault.WRONG_RECIPIENT, "sealed to the gate of DE, not of CH"),
    "no State": (lambda: _reseal(state="\x1b[2J"), SealFault.WRONG_RECIPIENT, "an unknown State"),
    "unknown key": (lambda: seal(seal_key=OTHER), SealFault.UNKNOWN_SEAL_KEY, OTHER.public_key.key_id[:16]),
    "another key named": (
        lambda: _reseal(seal_key=POST_QUANTUM.public_key.key_id), SealFault.UNKNOWN_SUITE, "not that of its key",
    ),
    "unknown suite": (lambda: _reseal(suite="ROT13"), SealFault.UNKNOWN_SUITE, "update this gate"),
    "another suite": (lambda: _reseal(suite="MLKEM768-X25519"), SealFault.UNKNOWN_SUITE, "not that of its key"),
    "another epoch": (lambda: _reseal(epoch=YEAR_2026), SealFault.NOT_OPENED, "does not open"),
    "a time that cannot be": (
        lambda: _reseal(epoch=dt.datetime(1969, 1, 1, tzinfo=dt.UTC)), SealFault.MALFORMED, "cut or altered",
    ),
    "empty data key": (lambda: _reseal(wrapped_key=b""), SealFault.NOT_OPENED, "does not open"),
    "short data key": (lambda: _seal_by_hand(data_key=bytes(16)), SealFault.NOT_OPENED, "wrong length"),
    "another nonce": (lambda: _reseal(nonce=bytes(12)), SealFault.NOT_OPENED, "altered"),
    "no padding": (lambda: _seal_by_hand(padded=bytes(512)), SealFault.BAD_PADDING, "padded"),
    "wrong class": (lambda: _seal_by_hand(padded=b"\x80" + bytes(767)), SealFault.BAD_PADDING, "padded"),
    "no class": (lambda: _seal_by_hand(padded=b"\x80" + bytes(500)), SealFault.MALFORMED, "cut or altered"),
    "no ciphertext": (lambda: _reseal(ciphertext=b""), SealFault.MALFORMED, "cut or altered"),
    "oversized": (lambda: seal() + bytes(RECORD_BYTES_MAX), SealFault.OVERSIZED, "more than 200,000"),
    "unsealed": (lambda: get_codec("indicator").header + CANARY, SealFault.UNSEALED, "SHARING_TRUST_FILE"),
    "something else": (lambda: CANARY, SealFault.UNSEALED, "not sealed"),
}  # fmt: skip


def _seal_by_hand(padded: bytes = b"\x80" + bytes(511), data_key: bytes = bytes(32)) -> bytes:
    public = OWN.public_key
    wrapped = wrap("CH", public, data_key, encode_info("X25519", "CH", NOW))
    head = encode_head(wrapped, "CH", "X25519", public.key_id, NOW)
    nonce = bytes(NONCE_BYTES)
    ciphertext = AESGCM(data_key).encrypt(nonce, padded, hash_head(head) + KEY)
    return CODEC.header + head + nonce + encode_long(len(ciphertext)) + ciphertext


@pytest.mark.parametrize("name", REFUSALS)
def test_a_bad_record_is_refused_in_one_sentence(name: str) -> None:
    make, fault, part = REFUSALS[name]
    value = make()
    for opener in (IndicatorOpener("CH"), IndicatorOpener("CH")):
        error = expect_refusal(fault, lambda o=opener: open_one(value, opener=o))  # type: ignore[misc]
        assert part in str(error)
        open_one(seal(), opener=opener)
        expect_refusal(fault, lambda o=opener: open_one(value, opener=o))  # type: ignore[misc]


def test_a_gate_of_an_own_cluster_accepts_what_is_not_sealed() -> None:
    opener = IndicatorOpener("CH", accepts_unsealed=True)
    values = [b"plain", seal(), None, b"", seal(state="DE")]
    opened, refused = opener.open_values(values, [KEY] * 5, OPENING_KEYS)
    assert opened == [b"plain", CANARY, None, b"", None]
    assert [error.fault for error in refused.values()] == [SealFault.WRONG_RECIPIENT]


def test_an_empty_record_is_left_to_the_gate() -> None:
    assert IndicatorOpener("CH").open_values([None], [KEY], {}) == ([None], {})


def test_a_registry_header_is_accepted() -> None:
    framing = Framing({"sealed_indicator": make_registry_header(7)}, {make_registry_header(7): CODEC.header})
    value = make_sealer(framing=framing).seal_indicator(KEY, CANARY, OWN.public_key, NOW)
    assert value.startswith(make_registry_header(7))
    assert open_one(value, opener=IndicatorOpener("CH", framing=framing)) == CANARY


def test_nothing_opens_any_more_under_a_key_that_was_withdrawn() -> None:
    opener = IndicatorOpener("CH")
    assert open_one(seal(), opener=opener) == CANARY
    (content,), refused = opener.open_values([seal()], [KEY], {})
    assert (content, refused[0].fault) == (None, SealFault.UNKNOWN_SEAL_KEY)


def read_parts(value: bytes) -> tuple[bytes, int]:
    record = CODEC.decode(value)
    return record["wrapped_key"], int.from_bytes(record["nonce"], "big")


def test_a_nonce_never_repeats_under_a_data_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_keys, "EPOCH_MESSAGES_MAX", 3)
    sealer = make_sealer()
    times = [0, 1, 59_999, 59_999, 119_999, 119_999, 119_998, 119_998]
    parts = [read_parts(sealer.seal_indicator(KEY, CANARY, OWN.public_key, NOW + time)) for time in times]
    assert len(set(parts)) == len(parts)
    # After three records, after a minute, and when the clock was set back, there is a new data key.
    assert [number for _, number in parts] == [1, 2, 3, 1, 1, 2, 1, 2]
    assert len({wrapped_key for wrapped_key, _ in parts}) == 4
    assert EPOCH_MESSAGES_MAX == 2**20
    assert EPOCH_MS_MAX == 60_000


def test_another_seal_key_ends_the_data_key_and_each_publisher_has_its_own() -> None:
    sealer, other = make_sealer(1), make_sealer(2)
    values = [
        sealer.seal_indicator(KEY, CANARY, OWN.public_key, NOW),
        sealer.seal_indicator(KEY, CANARY, POST_QUANTUM.public_key, NOW),
        other.seal_indicator(KEY, CANARY, OWN.public_key, NOW),
    ]
    assert [CODEC.decode(value)["seal_key"] for value in values] == [
        key.public_key.key_id for key in (OWN, POST_QUANTUM, OWN)
    ]
    assert len({read_parts(value) for value in values}) == 3
    assert [open_one(value) for value in values] == [CANARY] * 3


def test_what_holds_a_data_key_is_not_shown_copied_or_stored() -> None:
    sealer, opener = make_sealer(), IndicatorOpener("CH")
    open_one(sealer.seal_indicator(KEY, CANARY, OWN.public_key, NOW), opener=opener)
    for holder in (sealer, opener):
        assert repr(holder) == f"{type(holder).__name__}(CH)"
        for store in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                store(holder)
    (data_key,) = opener._data_keys._entries.values()
    assert repr(data_key) == "OpenedDataKey()"


def test_a_bad_seal_key_is_refused() -> None:
    with pytest.raises(SealError) as refused:
        make_sealer().seal_indicator(
            KEY, CANARY, make_opening_key("x").public_key.model_copy(update={"public": "00" * 32}), NOW
        )
    assert refused.value.fault is SealFault.UNUSABLE_RECIPIENT_KEY
    assert HEADER_LENGTH == 10
