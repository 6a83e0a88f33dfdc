"""Fixtures that the tests of the processors share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processors.exactly_once.copy_pipeline import CopyPipeline

if TYPE_CHECKING:
    from sharing.testing.broker.kafka import KafkaBroker


@pytest.fixture
def kafka_course(kafka: KafkaBroker) -> CopyPipeline:
    """Topics of a test's own on the real broker, for workers that go from one to the other."""
    return CopyPipeline(kafka)
