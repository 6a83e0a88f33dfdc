"""Shows why a worker ends: its metrics are scraped once more before the process ends and they are lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.exactly_once.batch import ConservationError
from processors.health.clock_check import ClockError

if TYPE_CHECKING:
    from processors.health.http_endpoints import HttpEndpoints


@asynccontextmanager
async def show_failure(endpoints: HttpEndpoints | None, mark_broken: Callable[[], None]) -> AsyncIterator[None]:
    """Keep a worker that fails in the block running until its metrics have been scraped.

    Args:
        endpoints: The worker's HTTP endpoints; None when the worker serves none.
        mark_broken: Called if the batch is not conserved, so that the metrics show it.
    """
    try:
        yield
    except (ConservationError, ClockError) as error:
        if isinstance(error, ConservationError):
            mark_broken()
        if endpoints is not None:
            await endpoints.await_scrape()
        raise
