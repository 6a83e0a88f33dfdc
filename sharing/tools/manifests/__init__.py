"""Deployment files, made from the one table of topics and one partners file.

    python -m sharing.tools.manifests deploy/partners.yaml deploy

What depends on who shares the cluster is made here; what does not (the image, the units) stands in `deploy/` as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from sharing.tools.manifests.cluster import render_cluster
from sharing.tools.manifests.compose import render_compose
from sharing.tools.manifests.gate import render_gates
from sharing.tools.manifests.systemd import render_environments
from sharing.topology.partners import Partners


def render(partners: Partners) -> Mapping[str, str]:
    """Return the text of each file by its path below the deployment folder."""
    return {
        **render_compose(partners),
        **render_cluster(partners),
        **render_gates(partners),
        **render_environments(partners),
    }
