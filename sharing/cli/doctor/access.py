"""Checks of `sharing doctor` for access control: the certificate, its permissions, the ACLs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaException, TopicCollection

from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster
from sharing.cli.shared.kafka_commands import format_removal_command
from sharing.errors import SettingsError, SharingError
from sharing.kafka.acl_admin import inspect_acls, kafka_operation_name
from sharing.kafka.clients import look_up_topics, make_admin
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.tls import check_identity, read_identity
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, await_result
from sharing.settings import Settings
from sharing.topology.acls import OPERATOR, Principal, allowed_operations, may_see

RENEW_BEFORE = timedelta(days=14)
_SHOWN_MAX = 20


def check_certificate(settings: Settings) -> Iterator[CheckResult]:
    """Check the configured certificate: readable, of a known principal, not about to expire."""
    try:
        identity = read_identity(settings)
        if identity is None:
            detail = "none is configured; a broker with access control requires one"
            yield CheckResult("certificate", ok=True, detail=detail)
            return
        check_identity(identity, settings, datetime.now(UTC))
    except SettingsError as error:
        yield CheckResult("certificate", ok=False, detail=str(error), remedy="correct the files named in SHARING_TLS_…")
        return
    detail = f"{identity.name}, valid until {identity.valid_until:%Y-%m-%d %H:%MZ}"
    if identity.principal is None:
        remedy = "get a certificate with a CN that `sharing topics acls` lists"
        yield CheckResult("certificate", ok=False, detail=f"{detail}: no principal has this name", remedy=remedy)
        return
    expires_soon = identity.valid_until - datetime.now(UTC) < RENEW_BEFORE
    remedy = "renew it" if expires_soon else ""
    yield CheckResult("certificate", ok=True, detail=detail, remedy=remedy, warning=expires_soon)


def check_rights(cluster: Cluster) -> Iterator[CheckResult]:
    """Compare own permissions on the cluster with the topic table; as the operator, compare all ACLs."""
    principal = cluster.principal
    if principal is None:
        return
    try:
        differences = list(_compare_own_rights(principal, cluster))
        if principal == OPERATOR:
            differences += _compare_all_acls(cluster)
    except SharingError as error:
        yield CheckResult("rights", ok=False, detail=str(error), remedy="see the message")
        return
    shown = list(_limit_each_check(differences))
    yield from shown
    limit = f" ({len(shown)} shown)" if len(differences) > len(shown) else ""
    detail = f"{len(differences)} differ from the table{limit}" if differences else f"{principal.name}: as in the table"
    remedy = "see the findings above" if differences else ""
    yield CheckResult("rights", ok=not differences, detail=detail, remedy=remedy)


def _limit_each_check(differences: Iterable[CheckResult]) -> Iterator[CheckResult]:
    """Yield the first of each check, so that many missing rights, as of a new State, hide none that is too wide."""
    counts: Counter[str] = Counter()
    for difference in differences:
        counts[difference.check] += 1
        if counts[difference.check] <= _SHOWN_MAX:
            yield difference


def _compare_own_rights(principal: Principal, cluster: Cluster) -> Iterator[CheckResult]:
    """Compare the permitted operations that the broker reports for each topic with the table."""
    admin = make_admin(cluster.servers, cluster.tls)
    present = look_up_topics(cluster.servers, cluster.tls)
    # The broker does not list topics that the principal may not describe: ask by name for those that it should see.
    names = [name for name in cluster.partners.topics if name in present or may_see(principal, name)]
    if not names:
        return
    described = admin.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=ADMIN_SECONDS_MAX
    )
    for name, future in described.items():
        expected = {str(operation) for operation in allowed_operations(principal, name)}
        try:
            actual = {
                kafka_operation_name(operation)
                for operation in await_result(future, f"cannot query permissions on {name}").authorized_operations
            }
        except KafkaException as error:
            yield _report_missing_right(
                f"{principal.name} cannot see {name} ({describe_kafka_error(error)}), which the table permits"
            )
            continue
        if expected - actual:
            yield _report_missing_right(f"{principal.name} lacks {', '.join(sorted(expected - actual))} on {name}")
        if actual - expected:
            yield _report_excess_right(
                f"{principal.name} may {', '.join(sorted(actual - expected))} {name}, which the table does not permit"
            )


def _compare_all_acls(cluster: Cluster) -> Iterator[CheckResult]:
    for change in inspect_acls(cluster.servers, cluster.partners, cluster.tls):
        match change.kind:
            case "missing":
                yield _report_missing_right(f"missing: {change.entry}")
            case "denied":
                yield _report_excess_right(
                    f"a denial that is not in the table: {change.entry}", format_removal_command(change.entry)
                )
            case "too wide":
                yield _report_excess_right(f"too wide: {change.entry}", format_removal_command(change.entry))
            case _:
                pass


def _report_missing_right(detail: str) -> CheckResult:
    return CheckResult(
        "rights too narrow", ok=False, detail=detail, remedy="the operator runs: sharing topics apply --acls"
    )


def _report_excess_right(detail: str, command: str = "") -> CheckResult:
    remedy = "the operator runs `sharing doctor`, which shows the entry and the command to remove it"
    if command:
        remedy = f"entries are never removed automatically; to remove it: {command}"
    return CheckResult("rights too wide", ok=False, detail=detail, remedy=remedy)
