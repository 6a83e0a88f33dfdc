"""Measures what sealing an indicator costs its publisher, and opening it its gate.

`python -m tests.bench.sealed_indicators`; no broker is needed. Times are processor time of one core; of several rounds,
the best.
"""

from __future__ import annotations

import secrets
import time
import uuid

from pydantic import SecretBytes

from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.indicators import IndicatorOpener, IndicatorSealer
from sharing.trust.key_pairs import SEED_BYTES
from sharing.trust.public_keys import KeyAlgorithm
from tests.bench.figures import describe_machine, print_line

RECORDS, ROUNDS = 10_000, 7
CONTENT_BYTES = 400
"""About the length of an indicator."""

PUBLISHER_COUNTS = (1, 20)
OPEN_TARGET_US = 2.5


def measure_indicators(publishers: int) -> dict[str, float]:
    """Return microseconds for each record: sealed and opened, and the length of a record in bytes.

    Args:
        publishers: Number of publishers whose records alternate.
    """
    algorithm, now = KeyAlgorithm.MLKEM768_X25519, time.time_ns() // 1_000_000
    key = MemoryOpeningKey(algorithm, SecretBytes(secrets.token_bytes(SEED_BYTES[algorithm])))
    public, opening_keys = key.public_key, {key.public_key.key_id: key}
    sealers = [IndicatorSealer("CH", secrets.token_bytes) for _ in range(publishers)]
    keys = [str(uuid.uuid4()).encode() for _ in range(RECORDS)]
    contents = [secrets.token_bytes(CONTENT_BYTES) for _ in range(RECORDS)]
    sealed_us, opened_us = [], []
    values: list[bytes] = []
    opener = IndicatorOpener("CH")
    for _ in range(ROUNDS):
        started = time.process_time()
        values = [
            sealers[number % publishers].seal_indicator(key, content, public, now)
            for number, (key, content) in enumerate(zip(keys, contents, strict=True))
        ]
        between = time.process_time()
        opened, refused = opener.open_values(values, keys, opening_keys)
        opened_us.append((time.process_time() - between) * 1e6 / RECORDS)
        sealed_us.append((between - started) * 1e6 / RECORDS)
        if opened != contents or refused:
            raise ValueError("an indicator opened to another content")
    return {"seal_us": min(sealed_us), "open_us": min(opened_us), "record_bytes": len(values[0])}


def main() -> None:
    """Print what sealing and opening indicators cost."""
    print_line(describe_machine())
    print_line(f"{RECORDS:,} indicators of {CONTENT_BYTES} bytes, MLKEM768-X25519; microseconds a record")
    for publishers in PUBLISHER_COUNTS:
        us = measure_indicators(publishers)
        print_line(
            f"  of {publishers:>3} publishers   seal {us['seal_us']:5.2f}   open {us['open_us']:5.2f}   "
            f"{us['record_bytes']:,.0f} bytes"
        )
    print_line(f"  target: open {OPEN_TARGET_US} µs")


if __name__ == "__main__":
    main()
