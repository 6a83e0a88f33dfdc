"""Sets the missing quotas of a cluster's principals, reports what differs, and removes those of principals that leave.

librdkafka has no API for quotas. kafka-python has the requests of Kafka's protocol, but no methods for these two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, for_code
from kafka.protocol.admin import AlterClientQuotasRequest, DescribeClientQuotasRequest

from sharing.errors import InfrastructureError
from sharing.kafka.topic_admin import wait_until_shown
from sharing.topology.acls import Principal, list_principals, parse_principal
from sharing.topology.partners import Partners

_USER = "user"
_ANY_NAME = 2
"""Match type of the protocol: every entity of the type that has a quota."""

_STRIMZI_PREFIX = "CN="
"""Start of the names under which Strimzi keeps the quotas of its users."""

_TLS_OPTIONS: Mapping[str, str] = {
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
}
"""kafka-python's names of librdkafka's properties."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class QuotaChange:
    """The quotas of one principal, and their state on the cluster: `created`, `missing`, `same` or `differs`."""

    principal: str
    kind: str
    detail: str = ""


class _QuotaClient(KafkaAdminClient):  # type: ignore[misc]  # the library has no types
    """kafka-python's admin client with the two requests for quotas, made as its own methods are."""

    def describe_quotas(self) -> dict[str, dict[str, float]]:
        """Return the quotas of each user that has any; the default of all users is not listed."""
        return dict(self._manager.run(self._describe_quotas))

    def set_quotas(self, quotas: Mapping[str, Mapping[str, float]]) -> None:
        """Set quotas of users."""
        self._manager.run(self._set_quotas, quotas)

    def remove_quotas(self, quotas: Mapping[str, Mapping[str, float]]) -> None:
        """Remove quotas of users: the given keys of each."""
        self._manager.run(self._remove_quotas, quotas)

    async def _describe_quotas(self) -> dict[str, dict[str, float]]:
        answer = await self._manager.send(
            DescribeClientQuotasRequest(components=[(_USER, _ANY_NAME, None)], strict=True)
        )
        _raise_error(answer)
        return {
            entry.entity[0].entity_name: {value.key: value.value for value in entry.values}
            for entry in answer.entries
            if entry.entity[0].entity_name is not None
        }

    async def _set_quotas(self, quotas: Mapping[str, Mapping[str, float]]) -> None:
        await self._alter(quotas, remove=False)

    async def _remove_quotas(self, quotas: Mapping[str, Mapping[str, float]]) -> None:
        await self._alter(quotas, remove=True)

    async def _alter(self, quotas: Mapping[str, Mapping[str, float]], *, remove: bool) -> None:
        entry = AlterClientQuotasRequest.EntryData
        entries = [
            entry(
                entity=[entry.EntityData(entity_type=_USER, entity_name=name)],
                ops=[entry.OpData(key=key, value=float(value), remove=remove) for key, value in values.items()],
            )
            for name, values in quotas.items()
        ]
        answer = await self._manager.send(AlterClientQuotasRequest(entries=entries, validate_only=False))
        for result in answer.entries:
            _raise_error(result)


def inspect_quotas(
    bootstrap: str, partners: Partners, properties: Mapping[str, Any] | None = None
) -> list[QuotaChange]:
    """Return which principals' quotas are `missing`, which `differs`, and which are the `same`. Changes nothing.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """
    return _call(bootstrap, properties, lambda client: compare_quotas(partners, client.describe_quotas()))


def apply_quotas(bootstrap: str, partners: Partners, properties: Mapping[str, Any] | None = None) -> list[QuotaChange]:
    """Set the missing quotas (reported as `created`) and compare the others. Set quotas are then in force.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """
    wanted = partners.quotas.config()

    def set_missing(client: _QuotaClient) -> list[QuotaChange]:
        changes = compare_quotas(partners, client.describe_quotas())
        missing = {change.principal for change in changes if change.kind == "missing"}
        if missing:
            client.set_quotas(dict.fromkeys(sorted(missing), wanted))
            wait_until_shown(
                lambda: missing <= client.describe_quotas().keys(),
                "the quotas were set, but the cluster does not show them yet; try again",
            )
        return [
            QuotaChange(change.principal, "created") if change.principal in missing else change for change in changes
        ]

    return _call(bootstrap, properties, set_missing)


def remove_quotas(
    bootstrap: str,
    matches: Callable[[Principal], bool],
    properties: Mapping[str, Any] | None = None,
    *,
    dry_run: bool = False,
) -> list[str]:
    """Remove all quotas of some principals, and return whose were (or would be) removed.

    Args:
        bootstrap: Kafka bootstrap servers.
        matches: Returns whether the quotas of a principal of the bus must be removed.
        properties: Further librdkafka properties, such as those of TLS.
        dry_run: Remove nothing.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """

    def is_matched(name: str) -> bool:
        principal = parse_principal(name.removeprefix(_STRIMZI_PREFIX))
        return principal is not None and matches(principal)

    def remove(client: _QuotaClient) -> list[str]:
        found = {name: values for name, values in client.describe_quotas().items() if is_matched(name)}
        if found and not dry_run:
            client.remove_quotas(found)
            wait_until_shown(
                lambda: found.keys().isdisjoint(client.describe_quotas()),
                "the quotas were removed, but the cluster still shows them; try again",
            )
        return sorted(found)

    return _call(bootstrap, properties, remove)


def compare_quotas(partners: Partners, present: Mapping[str, Mapping[str, float]]) -> list[QuotaChange]:
    """Return the state of each principal's quotas.

    Args:
        partners: The partners; their quotas are the wanted ones.
        present: The quotas on the cluster, by user.
    """
    changes = []
    for principal in list_principals(partners):
        actual = present.get(principal.name) or present.get(_STRIMZI_PREFIX + principal.name)
        if not actual:
            changes.append(QuotaChange(principal.name, "missing"))
            continue
        details = [
            f"{key} is {_format(actual.get(key))}, the partners file says {value}"
            for key, value in partners.quotas.config().items()
            if actual.get(key) != value
        ]
        changes.append(QuotaChange(principal.name, "differs" if details else "same", "; ".join(details)))
    return changes


def _format(value: float | None) -> str:
    return "not set" if value is None else f"{value:g}" if value % 1 else str(int(value))


def _call(bootstrap: str, properties: Mapping[str, Any] | None, act: Callable[[_QuotaClient], Result]) -> Result:
    given = properties or {}
    options = {name: given[key] for key, name in _TLS_OPTIONS.items() if key in given}
    try:
        client = _QuotaClient(
            bootstrap_servers=bootstrap.split(","), security_protocol="SSL" if options else "PLAINTEXT", **options
        )
        try:
            return act(client)
        finally:
            client.close()
    except (KafkaError, OSError) as error:
        raise InfrastructureError(
            f"the quotas cannot be read or set ({type(error).__name__}); use the operator's certificate"
        ) from None


def _raise_error(answer: Any) -> None:
    if answer.error_code:
        raise for_code(answer.error_code)(answer.error_message)
