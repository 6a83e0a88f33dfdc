"""Makes the plot of `docs/audit.md`: `python -m tests.docs.transfers_plot`.

It runs the demo on the embedded broker, lets `sharing audit transfers` count at its end what left a State, and
keeps the comma-separated values and the plot that the command has written.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from sharing.testing.demo import run
from sharing.testing.demo.audit import AuditResult, verify_audit_logs
from sharing.testing.demo.cluster import DemoCluster

CSV, PLOT = Path("docs/transfers.csv"), Path("docs/transfers.svg")
STATE = "CH"


class _Silent:
    """Shows nothing of the demo."""

    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None


def count_and_verify(cluster: DemoCluster) -> AuditResult:
    """Count what left a State, and then do what the demo does."""
    PLOT.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    command = [sys.executable, "-m", "sharing", "audit", "transfers", "--csv", "--plot", str(PLOT)]
    settings = {"SHARING_STATE": STATE, "SHARING_BOOTSTRAP": cluster.bootstrap}
    done = subprocess.run(command, env=environment | settings, check=True, stdout=subprocess.PIPE)
    CSV.write_bytes(done.stdout)
    return verify_audit_logs(cluster)


if __name__ == "__main__":
    with patch.object(run, "verify_audit_logs", count_and_verify):
        report = run.run_demo("embedded", _Silent())  # type: ignore[arg-type]
    sys.stdout.write(f"{CSV} and {PLOT} were written from {report.audit.records} decisions and acts of the demo.\n")
