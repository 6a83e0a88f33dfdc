"""Check of `sharing doctor` for gates: whether one works for each State."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster
from sharing.errors import SharingError
from sharing.kafka.clients import is_embedded, look_up_topics, make_admin
from sharing.kafka.gate_status import GateStatus, read_gate_status
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import INDICATORS, find_topic_kind


def check_gates(cluster: Cluster) -> Iterator[CheckResult]:
    """Say of each State whether a gate works for it, as far as this client may see that."""
    states = _find_visible_states(cluster)
    if not states:
        return
    if is_embedded(make_admin(cluster.servers, cluster.tls).list_topics(timeout=10).cluster_id):
        yield CheckResult("gates", ok=True, detail="not checked: the embedded broker does not describe groups")
        return
    try:
        present = look_up_topics(cluster.servers, cluster.tls)
        found = {state: _read_status(cluster, state, present) for state in states}
    except SharingError as error:
        yield CheckResult("gates", ok=False, detail=str(error), remedy="see the message; run this again")
        return
    is_another_there = any(status is not None and status.workers for status in found.values())
    for state, status in found.items():
        if status is not None:
            yield _check_gate(state, status, is_expected=state in cluster.named or not is_another_there)


def _read_status(cluster: Cluster, state: str, present: Mapping[str, int]) -> GateStatus | None:
    """Return what the broker knows of the gate of a State; None if its agencies have no topic here."""
    topics = {
        name: count
        for name, count in present.items()
        if find_topic_kind(name) is INDICATORS and name.split(".")[1] == state.lower()
    }
    if not topics:
        return None
    return read_gate_status(cluster.servers, str(Principal(Role.GATE, state).group_prefix), topics, cluster.tls)


def _check_gate(state: str, status: GateStatus, *, is_expected: bool) -> CheckResult:
    """Say whether a gate works for a State.

    Args:
        state: The State.
        status: What the broker knows of its gate.
        is_expected: Whether somebody may wait for it: the State was named, or no gate works for any.
    """
    check = f"gate {state}"
    remedy = f"start it: sharing gate --state {state}"
    if status.workers:
        workers = "1 worker" if status.workers == 1 else f"{status.workers} workers"
        return CheckResult(check, ok=True, detail=f"works with {workers}; at most {status.waiting} records wait")
    if status.has_worked or status.waiting:
        detail = f"no gate is running, and at most {status.waiting} records wait for one"
        return CheckResult(check, ok=False, detail=detail, remedy=remedy)
    detail = "no gate yet, and nothing waits"
    if not is_expected:
        return CheckResult(check, ok=True, detail=detail, note=True)
    remedy = "if agencies of such a State publish here, start it: sharing gate --state ST"
    return CheckResult(check, ok=True, detail=detail, remedy=remedy, warning=True)


def _find_visible_states(cluster: Cluster) -> list[str]:
    """Return the States whose groups this client may describe."""
    if cluster.sees_all:
        return sorted(cluster.partners.states)
    if cluster.principal is not None and cluster.principal.role is Role.GATE:
        return [cluster.principal.state]
    return []
