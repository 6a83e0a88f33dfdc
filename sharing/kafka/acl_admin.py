"""Adds the missing ACL entries to a cluster, reports every difference from the topic table, and revokes principals.

An entry that permits too much is reported as `too wide` and stays until a person removes it: it may belong to another
application. Only `revoke_principals` removes entries: all those of the named principals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
from sharing.kafka.clients import make_admin
from sharing.kafka.errors import describe_kafka_error, error_code
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, await_result, wait_until_shown
from sharing.topology.acls import (
    ANY_NAME,
    AclEntry,
    AclPattern,
    AclResource,
    Principal,
    list_acl_entries,
    parse_principal,
)
from sharing.topology.partners import Partners
from sharing.topology.topic_kinds import TopicScope

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
_EVERYONE = "*"
"""The principal of an entry that applies to all principals."""
_BUS_PREFIXES: Final = tuple(f"{scope}." for scope in TopicScope if scope is not TopicScope.SHARED)


@dataclass(frozen=True, slots=True)
class AclChange:
    """One ACL entry and its state on the cluster: `created`, `missing`, `same`, `too wide` or `denied`."""

    entry: AclEntry
    kind: str


def inspect_acls(bootstrap: str, partners: Partners, properties: Mapping[str, Any] | None = None) -> list[AclChange]:
    """Return the entries that are `missing`, the `same`, `too wide` or `denied`. Changes nothing.

    An entry is `too wide` if the topic table does not grant it and it concerns this bus: its principal is one of this
    bus, or its resource is. A deny entry that the table does not contain is `denied`.

    Raises:
        InfrastructureError: The cluster does not answer, refuses, or has no authorizer.
    """
    return compare_acls(list_acl_entries(partners), _list_cluster_acls(make_admin(bootstrap, properties)))


def apply_acls(bootstrap: str, partners: Partners, properties: Mapping[str, Any] | None = None) -> list[AclChange]:
    """Create the missing entries (reported as `created`) and compare the others. Created entries are then in force.

    Raises:
        InfrastructureError: The cluster does not answer, refuses, or has no authorizer.
    """
    admin = make_admin(bootstrap, properties)
    changes = compare_acls(list_acl_entries(partners), _list_cluster_acls(admin))
    missing = [change.entry for change in changes if change.kind == "missing"]
    if missing:
        _create_acls(admin, missing)
        _wait_until_listed(admin, frozenset(missing))
    return [AclChange(change.entry, "created") if change.kind == "missing" else change for change in changes]


def compare_acls(wanted: frozenset[AclEntry], present: Iterable[AclEntry]) -> list[AclChange]:
    """Return each entry that is wanted, or that is present and concerns this bus, with its state."""
    existing = frozenset(present)
    changes = [AclChange(entry, "same" if entry in existing else "missing") for entry in wanted]
    surplus = (entry for entry in existing - wanted if _concerns_this_bus(entry))
    changes += [AclChange(entry, "too wide" if entry.allow else "denied") for entry in surplus]
    return sorted(changes, key=lambda change: change.entry)


def revoke_principals(
    bootstrap: str,
    matches: Callable[[Principal], bool],
    properties: Mapping[str, Any] | None = None,
    *,
    dry_run: bool = False,
) -> tuple[list[AclEntry], list[AclEntry]]:
    """Remove every ACL entry of some principals, for clients on any host. Open connections are denied at once.

    Args:
        bootstrap: Kafka bootstrap servers.
        matches: Returns whether a principal of the bus must be revoked.
        properties: Further librdkafka properties, such as those of TLS.
        dry_run: Remove nothing.

    Returns:
        The entries that were (or would be) removed, and those that remain for every principal of the cluster
        (`User:*`); the revoked principals keep these permissions.

    Raises:
        InfrastructureError: The cluster does not answer, refuses, or has no authorizer.
    """
    admin = make_admin(bootstrap, properties)
    present = list(_list_cluster_acls(admin))
    for_everyone = [entry for entry in present if _get_principal_name(entry) == _EVERYONE and entry.allow]

    def is_revoked(entry: AclEntry) -> bool:
        principal = parse_principal(_get_principal_name(entry))
        return principal is not None and matches(principal)

    revoked = sorted(entry for entry in present if is_revoked(entry))
    if revoked and not dry_run:
        for name in dict.fromkeys(entry.principal.partition(" from ")[0] for entry in revoked):
            _await_answers(
                admin.delete_acls([_make_filter(name)], request_timeout=ADMIN_SECONDS_MAX), "cannot remove the ACLs"
            )
        # A controller confirms a removal a moment before every broker applies it.
        wait_until_shown(
            lambda: not any(map(is_revoked, _list_cluster_acls(admin))),
            "the ACLs were removed, but the cluster does not show it yet; try again",
        )
    return revoked, for_everyone


def _get_principal_name(entry: AclEntry) -> str:
    """Return the CN of an entry's principal, which Strimzi writes as `User:CN=gate.ch`."""
    return entry.principal.partition(" from ")[0].removeprefix("User:").removeprefix("CN=")


def _concerns_this_bus(entry: AclEntry) -> bool:
    if parse_principal(_get_principal_name(entry)) is not None or entry.resource is AclResource.CLUSTER:
        return True
    if entry.name == ANY_NAME:
        return True
    if entry.name.startswith(_BUS_PREFIXES):
        return True
    return entry.pattern is AclPattern.PREFIX and any(prefix.startswith(entry.name) for prefix in _BUS_PREFIXES)


def _list_cluster_acls(admin: AdminClient) -> Iterator[AclEntry]:
    _require_describe_permission(admin)
    bindings: list[AclBinding] = _await_answer(
        admin.describe_acls(_make_filter(), request_timeout=ADMIN_SECONDS_MAX), "cannot read the ACLs"
    )
    resources = {kind: resource for resource, kind in _RESOURCES.items()}
    patterns = {kind: pattern for pattern, kind in _PATTERNS.items()}
    for binding in bindings:
        if binding.restype in resources and binding.resource_pattern_type in patterns:
            # An entry for a single host is not the wanted one, but what it permits is still reported.
            host = "" if binding.host == "*" else f" from {binding.host}"
            yield AclEntry(
                binding.principal + host,
                resources[binding.restype],
                patterns[binding.resource_pattern_type],
                binding.name,
                kafka_operation_name(binding.operation),
                allow=binding.permission_type is AclPermissionType.ALLOW,
            )


def _make_filter(principal: str | None = None) -> AclBindingFilter:
    """Return the filter that matches every entry, or every entry of one principal."""
    anything: Any = None  # None matches everything, which the declared parameter types do not allow
    chosen: Any = principal
    return AclBindingFilter(
        ResourceType.ANY, anything, ResourcePatternType.ANY, chosen, anything, AclOperation.ANY, AclPermissionType.ANY
    )


def _require_describe_permission(admin: AdminClient) -> None:
    """Check the permission to read ACLs: without it, librdkafka returns an empty list and no error.

    Raises:
        InfrastructureError: This client may not read ACLs.
    """
    described: Future[Any] = admin.describe_cluster(
        include_authorized_operations=True, request_timeout=ADMIN_SECONDS_MAX
    )
    cluster = _await_answer(described, "cannot read the operations that are permitted on the cluster")
    if AclOperation.DESCRIBE not in (cluster.authorized_operations or ()):
        raise InfrastructureError(
            "the ACLs cannot be read: this certificate may not Describe the cluster; use the operator's"
        )


def _create_acls(admin: AdminClient, missing: list[AclEntry]) -> None:
    wanted = [
        AclBinding(
            _RESOURCES[entry.resource],
            entry.name,
            _PATTERNS[entry.pattern],
            entry.principal,
            "*",
            _parse_operation(entry.operation),
            AclPermissionType.ALLOW if entry.allow else AclPermissionType.DENY,
        )
        for entry in missing
    ]
    # Denials first, so that nothing that the table forbids is permitted in between.
    wanted.sort(key=lambda binding: binding.permission_type is AclPermissionType.ALLOW)
    _await_answers(admin.create_acls(wanted, request_timeout=ADMIN_SECONDS_MAX), "cannot create the ACLs")


def _wait_until_listed(admin: AdminClient, created: frozenset[AclEntry]) -> None:
    wait_until_shown(
        lambda: created <= frozenset(_list_cluster_acls(admin)),
        "the ACLs were created, but the cluster does not show it yet; try again",
    )


def _await_answers(futures: Mapping[Any, Future[Any]], failure: str) -> None:
    for future in futures.values():
        _await_answer(future, failure)


def _await_answer(future: Future[Any], failure: str) -> Any:
    try:
        return await_result(future, failure)
    except KafkaException as error:
        remedy = {
            KafkaError.SECURITY_DISABLED: "; set authorizer.class.name on the brokers (docs/operate.md)",
            KafkaError.CLUSTER_AUTHORIZATION_FAILED: "; use the operator's certificate",
        }.get(error_code(error) or 0, "")
        raise InfrastructureError(f"{failure}: {describe_kafka_error(error)}{remedy}") from None


def kafka_operation_name(operation: Any) -> str:
    """Return Kafka's name of an operation: `DescribeConfigs` for AclOperation.DESCRIBE_CONFIGS."""
    return "".join(part.capitalize() for part in str(operation.name).split("_"))


def _parse_operation(name: str) -> AclOperation:
    return next(operation for operation in AclOperation if kafka_operation_name(operation) == name)
