"""Fixtures that the tests of the processors share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processors.course import Course

if TYPE_CHECKING:
    from sharing.broker.kafka import KafkaBroker


@pytest.fixture
def kafka_course(kafka: KafkaBroker) -> Course:
    """Topics of a test's own on the real broker, for workers that go from one to the other."""
    return Course(kafka)
