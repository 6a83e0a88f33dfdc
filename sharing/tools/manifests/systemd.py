"""Generates `deploy/systemd/gate-<st>.env`: the environment of a gate that systemd runs on a server."""

from __future__ import annotations

from collections.abc import Mapping

from sharing.tools.manifests.common import HEADER, TLS_PORT, gate_settings
from sharing.topology.partners import Partners

BOOTSTRAP = f"kafka.example.org:{TLS_PORT}"
"""A placeholder: the operator of the cluster provides the real address."""


def render_environments(partners: Partners) -> Mapping[str, str]:
    """Return the files, by path. The systemd unit sets the paths of certificate, keys, packs and state."""
    return {
        f"systemd/gate-{state.lower()}.env": HEADER
        + "".join(f"{name}={value}\n" for name, value in _make_environment(partners, state).items())
        for state in sorted(partners.states)
    }


def _make_environment(partners: Partners, state: str) -> dict[str, str]:
    return {
        **gate_settings(partners, state, BOOTSTRAP),
        "SHARING_INSTANCE": "0",
        "SHARING_WEB_BIND": "127.0.0.1",
    }
