"""Fixtures shared by the tests of the processors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processors.exactly_once.copy_pipeline import CopyPipeline

if TYPE_CHECKING:
    from sharing.testing.broker.kafka import KafkaBroker


@pytest.fixture
def kafka_pipeline(kafka: KafkaBroker) -> CopyPipeline:
    """A copy pipeline with topics of its own on the real broker."""
    return CopyPipeline(kafka)
