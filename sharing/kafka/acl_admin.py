"""Brings a cluster's access control list to the one table, and finds what differs. Adds only: never takes away.

What is too wide is told and stays, for a person to remove: it may be another application's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from sharing.errors import InfrastructureError
from sharing.kafka.clients import error_code, explain, make_admin
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, wait_for
from sharing.topology.acls import ANY_NAME, AclEntry, AclPattern, AclResource, acl_entries, parse_principal
from sharing.topology.partners import Partners
from sharing.topology.topics import TopicScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka.admin import AdminClient

_RESOURCES: Final = {
    AclResource.TOPIC: ResourceType.TOPIC,
    AclResource.GROUP: ResourceType.GROUP,
    AclResource.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
    AclResource.CLUSTER: ResourceType.BROKER,
}
_PATTERNS: Final = {AclPattern.LITERAL: ResourcePatternType.LITERAL, AclPattern.PREFIX: ResourcePatternType.PREFIXED}
_POLL_SECONDS = 0.05
_OURS: Final = tuple(f"{scope}." for scope in (TopicScope.NATIONAL, TopicScope.EXCHANGE))


@dataclass(frozen=True, slots=True)
class AclChange:
    """What became of one entry: `created`, `missing`, `same`, or `too wide`."""

    entry: AclEntry
    kind: str


def inspect_acls(bootstrap: str, partners: Partners, properties: Mapping[str, Any] | None = None) -> list[AclChange]:
    """Return what is `missing`, the `same`, and `too wide`; change nothing.

    Too wide is what the table does not give: to anybody of the scheme, or to anybody else on what is this bus's. A
    denial that the table does not have is told as `denied`.

    Raises:
        InfrastructureError: The cluster does not answer, refuses, or has no authorizer.
    """
    return compare(acl_entries(partners), _read(make_admin(bootstrap, properties)))


def apply_acls(bootstrap: str, partners: Partners, properties: Mapping[str, Any] | None = None) -> list[AclChange]:
    """Make what is missing (then `created`), and compare the rest. What was made holds when this returns.

    Raises:
        InfrastructureError: The cluster does not answer, refuses, or has no authorizer.
    """
    admin = make_admin(bootstrap, properties)
    changes = compare(acl_entries(partners), _read(admin))
    missing = [change.entry for change in changes if change.kind == "missing"]
    if missing:
        _create(admin, missing)
        _await(admin, frozenset(missing))
    return [AclChange(change.entry, "created") if change.kind == "missing" else change for change in changes]


def compare(wanted: frozenset[AclEntry], present: Iterable[AclEntry]) -> list[AclChange]:
    """Return each entry that is wanted or that concerns this bus, with what is to be said of it."""
    there = frozenset(present)
    changes = [AclChange(entry, "same" if entry in there else "missing") for entry in wanted]
    surplus = (entry for entry in there - wanted if _concerns_us(entry))
    changes += [AclChange(entry, "too wide" if entry.allow else "denied") for entry in surplus]
    return sorted(changes, key=lambda change: change.entry)


def _concerns_us(entry: AclEntry) -> bool:
    if parse_principal(entry.principal.removeprefix("User:")) is not None or entry.resource is AclResource.CLUSTER:
        return True
    if entry.name == ANY_NAME:
        return True
    if entry.name.startswith(_OURS):
        return True
    return entry.pattern is AclPattern.PREFIX and any(ours.startswith(entry.name) for ours in _OURS)


def _read(admin: AdminClient) -> Iterator[AclEntry]:
    _require_describe(admin)
    anything: Any = None  # the declared type knows of no filter by less than everything
    everything = AclBindingFilter(
        ResourceType.ANY, anything, ResourcePatternType.ANY, anything, anything, AclOperation.ANY, AclPermissionType.ANY
    )
    found: list[AclBinding] = _settle(
        admin.describe_acls(everything, request_timeout=ADMIN_SECONDS_MAX), "cannot read the ACLs"
    )
    resources = {kind: resource for resource, kind in _RESOURCES.items()}
    patterns = {kind: pattern for pattern, kind in _PATTERNS.items()}
    for binding in found:
        if binding.restype in resources and binding.resource_pattern_type in patterns:
            # For one host only, it is not what is wanted; and what it permits besides is told.
            host = "" if binding.host == "*" else f" from {binding.host}"
            yield AclEntry(
                binding.principal + host,
                resources[binding.restype],
                patterns[binding.resource_pattern_type],
                binding.name,
                word(binding.operation),
                allow=binding.permission_type is AclPermissionType.ALLOW,
            )


def _require_describe(admin: AdminClient) -> None:
    """Return when the ACLs may be read: to whom may not, librdkafka shows an empty list.

    Raises:
        InfrastructureError: They may not.
    """
    described: Future[Any] = admin.describe_cluster(
        include_authorized_operations=True, request_timeout=ADMIN_SECONDS_MAX
    )
    cluster = _settle(described, "cannot ask for the rights on the cluster")
    if AclOperation.DESCRIBE not in (cluster.authorized_operations or ()):
        raise InfrastructureError(
            "the ACLs cannot be read: this certificate has no right to Describe the cluster; use the operator's"
        )


def _create(admin: AdminClient, missing: list[AclEntry]) -> None:
    wanted = [
        AclBinding(
            _RESOURCES[entry.resource],
            entry.name,
            _PATTERNS[entry.pattern],
            entry.principal,
            "*",
            _operation(entry.operation),
            AclPermissionType.ALLOW if entry.allow else AclPermissionType.DENY,
        )
        for entry in missing
    ]
    # Denials first: no moment at which somebody may do what the table forbids.
    wanted.sort(key=lambda binding: binding.permission_type is AclPermissionType.ALLOW)
    for future in admin.create_acls(wanted, request_timeout=ADMIN_SECONDS_MAX).values():
        _settle(future, "cannot create the ACLs")


def _await(admin: AdminClient, made: frozenset[AclEntry]) -> None:
    # A controller confirms an entry a moment before each broker knows it.
    deadline = time.monotonic() + ADMIN_SECONDS_MAX
    while not made <= frozenset(_read(admin)):
        if time.monotonic() > deadline:
            raise InfrastructureError("the ACLs were created, but the cluster does not show them yet; try again")
        time.sleep(_POLL_SECONDS)


def _settle(future: Future[Any], what: str) -> Any:
    try:
        return wait_for(future, what)
    except KafkaException as error:
        remedy = {
            KafkaError.SECURITY_DISABLED: "; set authorizer.class.name on the brokers (docs/operate.md, The wall)",
            KafkaError.CLUSTER_AUTHORIZATION_FAILED: "; use the operator's certificate",
        }.get(error_code(error) or 0, "")
        raise InfrastructureError(f"{what}: {explain(error)}{remedy}") from None


def word(operation: Any) -> str:
    """Return Kafka's own word: `DescribeConfigs` for AclOperation.DESCRIBE_CONFIGS."""
    return "".join(part.capitalize() for part in str(operation.name).split("_"))


def _operation(text: str) -> AclOperation:
    return next(operation for operation in AclOperation if word(operation) == text)
