"""Records for the tests of the checkers."""

from __future__ import annotations

import copy

import pytest

from tests.faults.contents import TopicContents
from tests.faults.gate_outputs import COUNT, SEED, process
from tests.faults.workload import make_item


@pytest.fixture(scope="session")
def valid() -> TopicContents:
    """The outputs of a gate for Swiss items of every kind and for invalid records."""
    return process(make_item(SEED, "CH", number) for number in range(COUNT))


@pytest.fixture
def contents(valid: TopicContents) -> TopicContents:
    """A copy that the test may corrupt."""
    return copy.deepcopy(valid)
