"""Check of `sharing doctor` for gates: whether one works for each State."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster
from sharing.errors import SharingError
from sharing.kafka.clients import is_embedded, look_up_topics, make_admin
from sharing.kafka.gate_status import read_gate_status
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
        for state in states:
            topics = {
                name: count
                for name, count in present.items()
                if find_topic_kind(name) is INDICATORS and name.split(".")[1] == state.lower()
            }
            if topics:
                yield _check_gate(cluster, state, topics)
    except SharingError as error:
        yield CheckResult("gates", ok=False, detail=str(error), remedy="see the message; run this again")


def _check_gate(cluster: Cluster, state: str, topics: dict[str, int]) -> CheckResult:
    check = f"gate {state}"
    status = read_gate_status(cluster.servers, str(Principal(Role.GATE, state).group_prefix), topics, cluster.tls)
    remedy = f"start it: sharing gate --state {state}"
    if status.workers:
        workers = "1 worker" if status.workers == 1 else f"{status.workers} workers"
        return CheckResult(check, ok=True, detail=f"works with {workers}; at most {status.waiting} records wait")
    if status.has_worked or status.waiting:
        detail = f"no gate works, and at most {status.waiting} records wait for one"
        return CheckResult(check, ok=False, detail=detail, remedy=remedy)
    remedy = "where agencies of such a State are to publish, start it: sharing gate --state ST"
    return CheckResult(check, ok=True, detail="without a gate so far, and nothing waits", remedy=remedy, warning=True)


def _find_visible_states(cluster: Cluster) -> list[str]:
    """Return the States whose groups this client may describe."""
    if cluster.sees_all:
        return sorted(cluster.partners.states)
    if cluster.principal is not None and cluster.principal.role is Role.GATE:
        return [cluster.principal.state]
    return []
