"""Thousands of corrupt inputs in each test run, and proof that the campaign detects crashes and hangs."""

from __future__ import annotations

import random
import time

import pytest

from tests.fuzz import campaign
from tests.fuzz.campaign import FuzzError, run_target
from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.targets import TARGETS

RUNS = {
    "batches at the gate": 60, "packs, cases, treaties, profiles, directory": 120, "MISP events": 250,
    "STIX bundles": 250, "proofs of entries": 250,
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_corrupt_input_is_refused_or_accounted_for(target: FuzzTarget) -> None:
    generator = random.Random(20_261_125)
    assert sum(run_target(target, generator.getrandbits(64)) for _ in range(RUNS.get(target.name, 700))) > 0


def test_a_crash_is_detected_and_can_be_reproduced() -> None:
    with pytest.raises(FuzzError, match=r"--target 'broken' --only 7"):
        run_target(FuzzTarget("broken", 1, lambda _: 1 // 0), 7)


def test_a_hang_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "INPUT_TIMEOUT_S", 0.05)
    with pytest.raises(FuzzError) as raised:
        run_target(FuzzTarget("slow", 1, _sleep), 7)
    assert isinstance(raised.value.__cause__, TimeoutError)


def _sleep(_: random.Random) -> int:
    time.sleep(5)
    return 1


def test_the_same_seed_gives_the_same_inputs() -> None:
    assert campaign.run_campaign(400, 3) == campaign.run_campaign(400, 3)
