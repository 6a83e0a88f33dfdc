"""Topics and rights as Strimzi's custom resources: what `topics acls --format strimzi` prints and `deploy/` is made of.

API version and fields are those of `kafka.strimzi.io/v1`: KafkaTopic, and KafkaUser with TLS authentication, simple
authorization and quotas. Strimzi makes each certificate with the user's name as its CN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from sharing.topology.acls import AclEntry, AclPattern, AclResource, AclRule, Principal, acl_rules_of, principals
from sharing.topology.partners import Partners
from sharing.topology.topics import Role

API_VERSION = "kafka.strimzi.io/v1"
CLUSTER_LABEL = "strimzi.io/cluster"

Manifest = dict[str, Any]


def kafka_topics(partners: Partners, cluster: str) -> Iterator[Manifest]:
    """Yield a KafkaTopic for each topic.

    Args:
        partners: The partners file.
        cluster: Name of the Kafka resource.
    """
    for topic in partners.topics.values():
        yield {
            "apiVersion": API_VERSION,
            "kind": "KafkaTopic",
            "metadata": _metadata(topic.name, cluster),
            "spec": {
                "topicName": topic.name,
                "partitions": topic.partitions,
                "replicas": partners.replication,
                "config": dict(topic.kind.config()),
            },
        }


def kafka_users(partners: Partners, cluster: str) -> Iterator[Manifest]:
    """Yield a KafkaUser for each principal, with its certificate, ACLs and quotas.

    Args:
        partners: The partners file.
        cluster: Name of the Kafka resource.
    """
    for principal in principals(partners):
        spec: Manifest = {
            "authentication": {"type": "tls"},
            "authorization": {"type": "simple", "acls": [_rule(right) for right in acl_rules_of(principal)]},
        }
        if principal.role is not Role.OPERATOR:
            spec["quotas"] = {
                "producerByteRate": partners.quotas.produce_bytes,
                "consumerByteRate": partners.quotas.fetch_bytes,
            }
        yield {
            "apiVersion": API_VERSION,
            "kind": "KafkaUser",
            "metadata": _metadata(principal.name, cluster),
            "spec": spec,
        }


def render(manifests: Iterable[Mapping[str, Any]]) -> str:
    """Return manifests as one YAML stream."""
    return yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=True, width=120)


def quota_commands(partners: Partners) -> Iterator[str]:
    """Yield the arguments of `kafka-configs.sh` that set each principal's quotas: confluent-kafka cannot."""
    quotas = f"producer_byte_rate={partners.quotas.produce_bytes},consumer_byte_rate={partners.quotas.fetch_bytes}"
    for principal in principals(partners):
        if principal.role is not Role.OPERATOR:
            yield f"--alter --add-config {quotas} --entity-type users --entity-name {principal.name}"


def acl_commands(partners: Partners) -> Iterator[str]:
    """Yield the arguments of `kafka-acls.sh` that give each principal its rights."""
    for principal in principals(partners):
        for right in acl_rules_of(principal):
            yield _command(principal, right)


def removal_command(entry: AclEntry) -> str:
    """Return the arguments of `kafka-acls.sh` that take one entry away."""
    principal, _, host = entry.principal.partition(" from ")
    who = "allow" if entry.allow else "deny"
    of_host = f" --{who}-host {host}" if host else ""
    resource = _resource(entry.resource, entry.pattern, entry.name)
    return f"--remove --{who}-principal {principal}{of_host} --operation {entry.operation} {resource}"


def _command(principal: Principal, right: AclRule) -> str:
    who = "--allow-principal" if right.allow else "--deny-principal"
    operations = " ".join(f"--operation {operation}" for operation in right.operations)
    resource = _resource(right.resource, right.pattern, right.name)
    return f"--add {who} User:{principal.name} {operations} {resource}"


def _resource(resource: AclResource, pattern: AclPattern, name: str) -> str:
    flag = {
        AclResource.TOPIC: f"--topic '{name}'",
        AclResource.GROUP: f"--group '{name}'",
        AclResource.TRANSACTIONAL_ID: f"--transactional-id '{name}'",
        AclResource.CLUSTER: "--cluster",
    }[resource]
    return f"{flag} --resource-pattern-type prefixed" if pattern is AclPattern.PREFIX else flag


def _rule(right: AclRule) -> Manifest:
    resource: Manifest = {"type": str(right.resource)}
    if right.resource is not AclResource.CLUSTER:
        resource |= {"name": right.name, "patternType": str(right.pattern)}
    return {
        "type": "allow" if right.allow else "deny",
        "resource": resource,
        "operations": [str(operation) for operation in right.operations],
        "host": "*",
    }


def _metadata(name: str, cluster: str) -> Manifest:
    return {"name": name, "labels": {CLUSTER_LABEL: cluster}}
