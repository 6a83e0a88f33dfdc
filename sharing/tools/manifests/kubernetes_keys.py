"""The keys of a State in its pods: an init container copies them into memory, where only the process may read them."""

from __future__ import annotations

from typing import Any

from sharing.tools.manifests.common import IMAGE, TRUST_FILE
from sharing.tools.manifests.private_files import make_copy_script
from sharing.tools.manifests.workload import UNPRIVILEGED

TRUST_MAP = "trust"
"""ConfigMap with the pinned roots, of gate and desk."""

PRIVATE_FOLDER = "/run/sharing/private"
"""Where the copies are."""

TRUST_SETTINGS = {"SHARING_TRUST_FILE": f"/etc/sharing/trust/{TRUST_FILE}"}
KEY_MOUNTS = (
    {"name": "trust", "mountPath": "/etc/sharing/trust", "readOnly": True},
    {"name": "private", "mountPath": "/run/sharing", "readOnly": True},
)
"""Where a container has the volumes of `make_key_volumes`, except the Secret: the init container alone has that."""

_SECRET_FOLDER = "/etc/sharing/keys"  # noqa: S105 a folder


def make_key_volumes(secret: str, files: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the volumes of a pod that has private files.

    Args:
        secret: Name of the Secret with the files.
        files: Their names.
    """
    items = [{"key": name, "path": name} for name in files]
    return [
        {"name": "trust", "configMap": {"name": TRUST_MAP}},
        {"name": "keys", "secret": {"secretName": secret, "defaultMode": 0o440, "items": items}},
        {"name": "private", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}},
    ]


def make_init_container(files: tuple[str, ...]) -> dict[str, Any]:
    """Return the init container, which copies the private files: the Secret is mounted into no other container."""
    return {
        "name": "private-files",
        "image": IMAGE,
        "command": ["/bin/sh", "-euc", make_copy_script(_SECRET_FOLDER, PRIVATE_FOLDER, files)],
        "resources": {"requests": {"cpu": "100m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": dict(UNPRIVILEGED),
        "volumeMounts": [
            {"name": "keys", "mountPath": _SECRET_FOLDER, "readOnly": True},
            {"name": "private", "mountPath": "/run/sharing"},
        ],
    }
