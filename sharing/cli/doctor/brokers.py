"""Checks of `sharing doctor` for the brokers: their settings, and the quotas of the principals."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster
from sharing.cli.shared.kafka_commands import format_broker_config_command, format_quota_command
from sharing.errors import SharingError
from sharing.kafka.broker_settings import BrokerDifference, inspect_brokers
from sharing.topology.acls import OPERATOR

_SET_AT_RUN_TIME = frozenset({"unclean.leader.election.enable"})
"""Settings that Kafka's tools can change without a restart of the broker."""


def check_broker_settings(cluster: Cluster) -> Iterator[CheckResult]:
    """Compare the settings of the brokers with those that a bus needs. Only the operator may read them."""
    if not cluster.sees_all:
        return
    try:
        count, differences = inspect_brokers(cluster.servers, cluster.tls)
    except SharingError as error:
        remedy = "see the message; the operator needs the permission DescribeConfigs on the cluster"
        yield CheckResult("broker settings", ok=False, detail=str(error), remedy=remedy)
        return
    for difference in differences:
        yield CheckResult(
            f"broker {difference.broker_id} {difference.setting}",
            ok=False,
            detail=f"is {difference.actual or 'unknown'}, should be {difference.wanted}: {difference.harm}",
            remedy=_suggest_setting(difference),
        )
    harmful = len({difference.broker_id for difference in differences})
    detail = f"{count - harmful} of {count} brokers have the settings that the bus needs"
    if not count:
        detail = "not checked: the embedded broker has none"
    yield CheckResult("broker settings", ok=not differences, detail=detail, remedy="see the settings above")


def check_quotas(cluster: Cluster) -> Iterator[CheckResult]:
    """Check that every principal has the quotas of the partners file. Only the operator of a secured cluster checks."""
    if cluster.principal != OPERATOR:
        return
    from sharing.kafka.quota_admin import inspect_quotas  # noqa: PLC0415 kafka-python takes long to import

    try:
        changes = inspect_quotas(cluster.servers, cluster.partners, cluster.tls)
    except SharingError as error:
        yield CheckResult("quotas", ok=False, detail=str(error), remedy="see the message")
        return
    for change in changes:
        if change.kind == "missing":
            detail = "none: this client may use the whole broker"
            yield CheckResult(
                f"quotas of {change.principal}", ok=False, detail=detail, remedy="sharing topics apply --acls"
            )
        elif change.kind == "differs":
            remedy = f"to set them, run: {format_quota_command(change.principal, cluster.partners.quotas)}"
            yield CheckResult(f"quotas of {change.principal}", ok=False, detail=change.detail, remedy=remedy)
    same = sum(change.kind == "same" for change in changes)
    detail = f"{same} of {len(changes)} clients have those of the partners file"
    yield CheckResult("quotas", same == len(changes), detail, "see the quotas above")


def _suggest_setting(difference: BrokerDifference) -> str:
    """Return how to change a setting of a broker."""
    assignment = f"{difference.setting}={difference.wanted}"
    if difference.setting in _SET_AT_RUN_TIME:
        return format_broker_config_command(assignment)
    return f"set {assignment} in the configuration of the broker, and restart it (docs/operate.md)"
