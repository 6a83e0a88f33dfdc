"""Quotas for tests: what the admin client of the product never does, removing them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.kafka.topic_io import SECONDS

if TYPE_CHECKING:
    from sharing.testing.broker.secure_kafka import SecureKafka

_POLL_S = 0.05


def remove_quotas(secure_kafka: SecureKafka, *names: str) -> None:
    """Remove all quotas of principals, and wait until the broker shows none of them.

    Raises:
        TimeoutError: The broker still shows them.
    """
    from kafka.protocol.admin import AlterClientQuotasRequest  # kafka-python takes long to import

    from sharing.kafka import quota_admin

    entry = AlterClientQuotasRequest.EntryData
    ops = [entry.OpData(key=key, value=0.0, remove=True) for key in secure_kafka.partners.quotas.config()]
    entries = [
        entry(entity=[entry.EntityData(entity_type="user", entity_name=name)], ops=ops) for name in sorted(set(names))
    ]

    async def send(client: quota_admin._QuotaClient) -> None:
        answer = await client._manager.send(AlterClientQuotasRequest(entries=entries, validate_only=False))
        for result in answer.entries:
            quota_admin._raise_error(result)

    def remove(client: quota_admin._QuotaClient) -> None:
        client._manager.run(send, client)
        deadline = time.monotonic() + SECONDS
        while set(names) & client.describe_quotas().keys():
            if time.monotonic() > deadline:
                raise TimeoutError(f"quotas of {', '.join(names)} still exist")
            time.sleep(_POLL_S)

    quota_admin._call(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties("operator"), remove)
