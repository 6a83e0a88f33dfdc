"""Generates deployment files from the topic table and a partners file.

    python -m sharing.tools.manifests deploy/partners.yaml deploy

Files that depend on the partners are generated here. The others (image, systemd units) are kept in `deploy/` by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

from sharing.tools.manifests.cluster import render_cluster
from sharing.tools.manifests.compose import render_compose
from sharing.tools.manifests.gate import render_states
from sharing.tools.manifests.systemd import render_environments
from sharing.topology.partners import Partners


def render_deployment(partners: Partners) -> Mapping[str, str]:
    """Return the text of each file, by its path relative to the deployment folder."""
    return {
        **render_compose(partners),
        **render_cluster(partners),
        **render_states(partners),
        **render_environments(partners),
    }
