"""The environment files of a State that runs its gate on a server, by systemd: `deploy/systemd/gate-<st>.env`."""

from __future__ import annotations

from collections.abc import Mapping

from sharing.tools.manifests.common import HEADER, TLS_PORT, gate_settings
from sharing.topology.partners import Partners

BOOTSTRAP = f"kafka.example.org:{TLS_PORT}"
"""The operator tells the real one."""


def render_environments(partners: Partners) -> Mapping[str, str]:
    """Return the files, by their paths. Certificate and key are the unit's to name: it hands them over itself."""
    return {
        f"systemd/gate-{state.lower()}.env": HEADER
        + "".join(f"{name}={value}\n" for name, value in _environment(partners, state).items())
        for state in sorted(partners.states)
    }


def _environment(partners: Partners, state: str) -> dict[str, str]:
    return {
        **gate_settings(partners, state, BOOTSTRAP),
        "SHARING_INSTANCE": "0",
        "SHARING_WEB_BIND": "127.0.0.1",
    }
