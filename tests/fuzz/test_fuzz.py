"""Some thousands of spoilt inputs at every run, and proof that the campaign sees what it looks for."""

from __future__ import annotations

import random
import time

import pytest

from tests.fuzz import campaign
from tests.fuzz.campaign import FuzzError, feed
from tests.fuzz.targets import TARGETS, Target

TIMES = {"batches at the gate": 60, "packs, cases, treaties, profiles, directory": 120, "MISP events": 250}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_spoilt_input_is_refused_or_accounted_for(target: Target) -> None:
    chance = random.Random(20_261_125)
    assert sum(feed(target, chance.getrandbits(64)) for _ in range(TIMES.get(target.name, 700))) > 0


def test_a_crash_is_found_and_can_be_seen_again() -> None:
    with pytest.raises(FuzzError, match=r"--target 'broken' --only 7"):
        feed(Target("broken", 1, lambda _: 1 // 0), 7)


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "HANG_S", 0.05)
    with pytest.raises(FuzzError) as raised:
        feed(Target("slow", 1, _sleep), 7)
    assert isinstance(raised.value.__cause__, TimeoutError)


def _sleep(_: random.Random) -> int:
    time.sleep(5)
    return 1


def test_the_same_seed_feeds_the_same() -> None:
    assert campaign.run(400, 3) == campaign.run(400, 3)
