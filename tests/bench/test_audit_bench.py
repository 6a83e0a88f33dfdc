"""The benchmark of the audit log measures what it says: it verifies, finds and proves."""

from __future__ import annotations

import pytest

from tests.bench.audit_log import measure_growth, measure_proof, measure_verification


def test_what_is_measured_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure_verification(batches=3)["decisions_per_s"] > 0
    assert measure_growth(blocks=200)["block_us"] > 0
    monkeypatch.setattr("tests.bench.audit_log.TURNS", 2)
    proved = measure_proof(20_000)
    assert proved["entries"] == 20_000
    assert proved["bytes_without_keys"] < 4_000
    assert proved["bytes_without_keys"] < proved["bytes"]
