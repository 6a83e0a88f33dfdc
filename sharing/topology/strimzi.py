"""Topics and ACL rules as Strimzi's custom resources and as arguments of Kafka's command-line tools.

`sharing topics acls` prints them, and `deploy/` contains them. API version and fields are those of
`kafka.strimzi.io/v1`: KafkaTopic, and KafkaUser with TLS authentication, simple authorization and quotas. Strimzi
issues no certificates: every client generates its own key, and gets a certificate whose subject is only `CN=<name>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from sharing.topology.acls import AclEntry, AclPattern, AclResource, AclRule, Principal, list_principals, make_acl_rules
from sharing.topology.partners import Partners, Quotas

API_VERSION = "kafka.strimzi.io/v1"
CLUSTER_LABEL = "strimzi.io/cluster"

Manifest = dict[str, Any]


def make_kafka_topics(partners: Partners, cluster: str) -> Iterator[Manifest]:
    """Yield a KafkaTopic for each topic.

    Args:
        partners: The partners file.
        cluster: Name of the Kafka resource.
    """
    for topic in partners.topics.values():
        yield {
            "apiVersion": API_VERSION,
            "kind": "KafkaTopic",
            "metadata": _make_metadata(
                topic.name.replace("_", "-"), cluster
            ),  # Kubernetes allows no underscore in names
            "spec": {
                "topicName": topic.name,
                "partitions": topic.partitions,
                "replicas": partners.replication,
                "config": dict(topic.kind.config()),
            },
        }


def make_kafka_users(partners: Partners, cluster: str) -> Iterator[Manifest]:
    """Yield a KafkaUser for each principal, with its certificate, ACLs and quotas.

    Args:
        partners: The partners file.
        cluster: Name of the Kafka resource.
    """
    for principal in list_principals(partners):
        spec: Manifest = {
            "authentication": {"type": "tls-external"},
            "authorization": {"type": "simple", "acls": [_make_acl(rule) for rule in make_acl_rules(principal)]},
            "quotas": {
                "producerByteRate": partners.quotas.produce_bytes,
                "consumerByteRate": partners.quotas.fetch_bytes,
                "requestPercentage": partners.quotas.request_percent,
            },
        }
        yield {
            "apiVersion": API_VERSION,
            "kind": "KafkaUser",
            "metadata": _make_metadata(principal.name, cluster),
            "spec": spec,
        }


def render_manifests(manifests: Iterable[Mapping[str, Any]]) -> str:
    """Return manifests as one YAML stream."""
    return yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=True, width=120)


def format_quota_commands(partners: Partners) -> Iterator[str]:
    """Yield the arguments of `kafka-configs.sh` that set each principal's quotas."""
    for principal in list_principals(partners):
        yield make_quota_command(principal.name, partners.quotas)


def make_quota_command(name: str, quotas: Quotas) -> str:
    """Return the arguments of `kafka-configs.sh` that set the quotas of one principal."""
    values = ",".join(f"{key}={value}" for key, value in quotas.config().items())
    return f"--alter --add-config {values} --entity-type users --entity-name {name}"


def format_acl_commands(partners: Partners) -> Iterator[str]:
    """Yield the arguments of `kafka-acls.sh` that create the ACL rules of each principal."""
    for principal in list_principals(partners):
        for rule in make_acl_rules(principal):
            yield _format_add_command(principal, rule)


def make_addition_command(rule: AclRule) -> str:
    """Return the arguments of `kafka-acls.sh` that create one ACL rule."""
    return _format_add_command(rule.principal, rule)


def make_removal_command(entry: AclEntry) -> str:
    """Return the arguments of `kafka-acls.sh` that remove one ACL entry."""
    principal, _, host = entry.principal.partition(" from ")
    permission = "allow" if entry.allow else "deny"
    host_option = f" --{permission}-host {host}" if host else ""
    resource = _format_resource(entry.resource, entry.pattern, entry.name)
    return f"--remove --{permission}-principal {principal}{host_option} --operation {entry.operation} {resource}"


def _format_add_command(principal: Principal, rule: AclRule) -> str:
    principal_option = "--allow-principal" if rule.allow else "--deny-principal"
    operations = " ".join(f"--operation {operation}" for operation in rule.operations)
    resource = _format_resource(rule.resource, rule.pattern, rule.name)
    return f"--add {principal_option} User:{principal.name} {operations} {resource}"


def _format_resource(resource: AclResource, pattern: AclPattern, name: str) -> str:
    flag = {
        AclResource.TOPIC: f"--topic '{name}'",
        AclResource.GROUP: f"--group '{name}'",
        AclResource.TRANSACTIONAL_ID: f"--transactional-id '{name}'",
        AclResource.CLUSTER: "--cluster",
    }[resource]
    return f"{flag} --resource-pattern-type prefixed" if pattern is AclPattern.PREFIX else flag


def _make_acl(rule: AclRule) -> Manifest:
    resource: Manifest = {"type": str(rule.resource)}
    if rule.resource is not AclResource.CLUSTER:
        resource |= {"name": rule.name, "patternType": str(rule.pattern)}
    return {
        "type": "allow" if rule.allow else "deny",
        "resource": resource,
        "operations": [str(operation) for operation in rule.operations],
        "host": "*",
    }


def _make_metadata(name: str, cluster: str) -> Manifest:
    return {"name": name, "labels": {CLUSTER_LABEL: cluster}}
