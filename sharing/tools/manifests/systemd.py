"""Generates `deploy/systemd/{gate,desk}-<st>.env`: the environments of gates and desks that systemd runs."""

from __future__ import annotations

from collections.abc import Mapping

from sharing.tools.manifests.common import (
    HEADER,
    TLS_PORT,
    desk_settings,
    gate_settings,
    time_stamp_roots,
    time_stamp_settings,
)
from sharing.topology.partners import Partners

BOOTSTRAP = f"kafka.example.org:{TLS_PORT}"
"""A placeholder: the operator of the cluster provides the real address. So is the origin of a desk."""


FOLDER = "/etc/sharing"
"""Where the operator of a server puts what is not secret."""


def render_environments(partners: Partners) -> Mapping[str, str]:
    """Return the files, by path. The systemd unit sets the paths of certificate, keys, packs and state."""
    files: dict[str, str] = {}
    for state in sorted(partners.states):
        files[f"systemd/gate-{state.lower()}.env"] = _to_text(_make_environment(partners, state))
        files[f"systemd/desk-{state.lower()}.env"] = _to_text(
            {**desk_settings(partners, state, BOOTSTRAP), **time_stamp_roots(partners, state, FOLDER)}
        )
    return files


def _to_text(settings: Mapping[str, str]) -> str:
    return HEADER + "".join(f"{name}={value}\n" for name, value in settings.items())


def _make_environment(partners: Partners, state: str) -> dict[str, str]:
    return {
        **gate_settings(partners, state, BOOTSTRAP),
        **time_stamp_settings(partners, state, FOLDER),
        "SHARING_INSTANCE": "0",
        "SHARING_WEB_BIND": "127.0.0.1",
    }
