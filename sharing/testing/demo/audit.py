"""The end of the demo: the audit log of each State is verified, and with certificates one decision is proved by it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sharing.audit.checkpoint_verifier import CheckpointPolicy
from sharing.audit.cosignature import WITNESSES_DEFAULT
from sharing.audit.origins import format_origin
from sharing.audit.verification import LogReport
from sharing.kafka.audit_reader import AuditSource, LogSelection, read_checkpoints, verify_logs
from sharing.kafka.conversation_reader import name_console_group
from sharing.testing.demo.cluster import DemoCluster
from sharing.testing.demo.keys import read_clock
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role

COMMAND_SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What the audit logs show.

    Attributes:
        records: Number of decisions and acts in them.
        witnessed: How many of these are under a checkpoint that two other States have cosigned.
        findings: What is wrong, in sentences.
    """

    records: int
    witnessed: int
    findings: tuple[str, ...]

    @property
    def is_verified(self) -> bool:
        """Whether there is a log, and nothing is wrong with it."""
        return self.records > 0 and not self.findings


@dataclass(frozen=True, slots=True)
class ProofResult:
    """What came of proving one decision.

    Attributes:
        holds: Whether the proof holds for somebody who has a file and pinned roots only.
        lines: What was found, in sentences.
    """

    holds: bool
    lines: tuple[str, ...]


def verify_audit_logs(cluster: DemoCluster) -> AuditResult:
    """Verify the logs of all States.

    Raises:
        InfrastructureError: A topic cannot be read.
    """
    states = list(cluster.keys.states)
    with ThreadPoolExecutor(len(states)) as threads:  # they wait for the broker most of the time
        reports = [report for found in threads.map(lambda state: _verify(cluster, state), states) for report in found]
    findings = [
        f"{format_origin(report.place)}: {finding.sentence}" for report in reports for finding in report.findings
    ]
    return AuditResult(
        sum(report.records for report in reports), sum(report.witnessed for report in reports), tuple(findings)
    )


def prove_decision(cluster: DemoCluster, state: str, indicator: str) -> ProofResult:
    """Prove a decision with the commands of the command line: to a file, which is checked without a broker.

    Args:
        cluster: The demo's processes, with certificates.
        state: The State that has decided.
        indicator: Id of the indicator.
    """
    trust = {"SHARING_TRUST_FILE": str(cluster.keys.trust_file)}
    with tempfile.TemporaryDirectory(prefix="sharing-proof-") as folder:
        file = Path(folder) / "decision.proof"
        own = cluster.process_settings(Principal(Role.CONSOLE, state))
        made = _run(
            ["audit", "prove", indicator, "--of", "decision", "--output", str(file)],
            own | trust | {"SHARING_STATE": state},
        )
        if made.returncode:
            return ProofResult(holds=False, lines=(made.stderr.strip(),))
        size = file.stat().st_size
        checked = _run(["audit", "check-proof", str(file)], trust)
    lines = [f"the proof of the decision on {indicator} has {size} bytes", *checked.stdout.splitlines()]
    shown = (line.rstrip() for line in lines if not line.startswith("record "))  # the whole decision, on one line
    return ProofResult(checked.returncode == 0, tuple(filter(None, shown)))


def _verify(cluster: DemoCluster, state: str) -> list[LogReport]:
    now = read_clock()
    trusted = {code: keys.online.get_trusted_keys(now) for code, keys in cluster.keys.states.items()}
    witnesses = {code: keys for code, keys in trusted.items() if code != state}
    policy = CheckpointPolicy(trusted[state], witnesses, now)
    properties = cluster.client_properties(Role.CONSOLE, state)
    source = AuditSource(cluster.bootstrap, name_console_group(state, "audit"), properties)
    checkpoints = read_checkpoints(source, state, policy)
    return verify_logs(source, LogSelection(state), checkpoints, now, required=WITNESSES_DEFAULT)


def _run(arguments: Sequence[str], settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    return subprocess.run(  # noqa: S603 - this interpreter and an own module
        [sys.executable, "-m", "sharing", *arguments],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
