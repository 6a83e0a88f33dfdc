"""After a failure both clients are opened again, until there were too many; batches that are too slow are halved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once.batch_size import BatchSizer
from processors.exactly_once.committed_positions import CommittedPositions
from processors.exactly_once.kafka_errors import ErrorReporter
from processors.exactly_once.recovery import ABORTS_MAX, Recovery
from processors.exactly_once.retry import CallWatch, RetryPolicy
from processors.exactly_once.transactor import Transactor
from sharing.errors import InfrastructureError
from sharing.kafka.clients import UNASSIGNED_SESSIONS, make_consumer
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import OFFLINE_CONFIG
from tests.support.never_joins import NeverJoins

if TYPE_CHECKING:
    from sharing.testing.broker.embedded import EmbeddedBroker

TIMEOUT_S = 150.0


def test_a_consumer_without_an_assignment_is_opened_again(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "HEARTBEAT_WAIT_S", 0.1)
    pipeline = CopyPipeline(embedded)
    pipeline.send_records(3)
    config = pipeline.loop_config()
    transactor = Transactor(config, lambda: 0)
    with monkeypatch.context() as patch:
        patch.setattr(consumer_module, "make_consumer", lambda properties: NeverJoins(make_consumer(properties)))
        transactor.open()
    assert transactor.read_batch() is None
    first = transactor._clients.consumer
    limit_s = UNASSIGNED_SESSIONS * config.session_timeout_s
    first._unassigned_since = time.monotonic() - limit_s + 50
    assert transactor.read_batch() is None
    assert transactor._clients.consumer is first
    first._unassigned_since -= 50
    with monkeypatch.context() as patch:
        patch.setattr(first, "await_rejection", lambda: pytest.fail("replacement checked first"))
        with pytest.raises(pytest.fail.Exception, match="replacement"):
            transactor.read_batch()
    assert transactor._clients.consumer is first
    deadline, read = time.monotonic() + TIMEOUT_S, 0
    while read < 3:
        assert time.monotonic() < deadline, "no records arrive"
        batch = transactor.read_batch()
        read += len(batch.messages) if batch is not None else 0
    assert transactor._clients.consumer is not first
    assert transactor._clients.consumer.seconds_without_assignment == 0
    transactor._clients.consumer._on_revoke(None, [])  # type: ignore[arg-type]  # the arguments are not used
    assert transactor._clients.consumer.seconds_without_assignment > 0
    transactor.close()


def make_recovery(clients: Mock, sizer: BatchSizer) -> Recovery:
    config = OFFLINE_CONFIG
    retry = RetryPolicy(CallWatch())
    return Recovery(config, clients, ErrorReporter(config), retry, sizer, Mock(), None, CommittedPositions())


def make_sizer() -> BatchSizer:
    config = OFFLINE_CONFIG
    return BatchSizer(config.batch_records_max, config.output_bytes_max, config.transaction_timeout_s)


@pytest.mark.parametrize("replaced", [False, True])
def test_after_an_expired_transaction_a_replaced_worker_ends_and_another_one_goes_on(replaced: bool) -> None:
    rejection = KafkaError(KafkaError._FATAL, "rejected")
    clients = Mock(**{"consumer.await_rejection.return_value": rejection, "is_replaced.return_value": replaced})
    recovery = make_recovery(clients, make_sizer())
    began_at = time.monotonic() - OFFLINE_CONFIG.transaction_timeout_s - 1
    error = KafkaError(KafkaError.INVALID_TXN_STATE)
    if replaced:
        with pytest.raises(InfrastructureError, match=r"fenced: another process.*rejected"):
            recovery.recover(error, 10, began_at)
    else:
        recovery.recover(error, 10, began_at)
    assert clients.open.call_count == (not replaced)


def recover_repeatedly(seconds: float) -> list[int]:
    """Abort full batches that have taken this long until the process must stop; return their sizes."""
    sizer = make_sizer()
    clients = Mock(**{"consumer.await_rejection.return_value": None})
    recovery = make_recovery(clients, sizer)
    sizes: list[int] = []
    error = KafkaError(KafkaError.INVALID_TXN_STATE)
    while True:
        sizes.append(sizer.limit)
        try:
            recovery.recover(error, sizes[-1], time.monotonic() - seconds)
        except InfrastructureError:
            assert clients.open.call_count == len(sizes) - 1
            return sizes


def test_a_batch_that_is_too_slow_is_halved_down_to_one_record_before_the_worker_ends() -> None:
    """A restart would begin with large batches again: a worker that ended sooner would never get past."""
    sizes = recover_repeatedly(OFFLINE_CONFIG.transaction_timeout_s + 1)
    assert sizes == [1_000, 500, 250, 125, 62, 31, 15, 7, 3, *[1] * ABORTS_MAX]


def test_other_aborts_are_counted_at_any_size() -> None:
    assert recover_repeatedly(0) == [1_000] * ABORTS_MAX
