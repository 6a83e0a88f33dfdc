"""A local broker behind the wall: certificates for everyone of a partners file, their topics and their rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from sharing.errors import InputError
from sharing.kafka.acl_admin import apply_acls
from sharing.kafka.topic_admin import apply_topics
from sharing.model.validation import nearest
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.run_state import write_private
from sharing.topology.acls import Principal, principals
from sharing.topology.topics import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sharing.testing.broker.run_state import KafkaStatus
    from sharing.topology.partners import Partners

PARTNERS_FILE = "partners.yaml"


class SecureKafka:
    """A broker of one folder with mutual TLS, an authorizer, and what the partners need.

    Args:
        folder: As for KafkaBroker.
        partners: Who shares it; on one node everything has one replica.
        port: As for KafkaBroker.
        on_progress: Called with a sentence before each step that takes a while.
    """

    def __init__(
        self, folder: Path, partners: Partners, port: int = 0, *, on_progress: Callable[[str], None] | None = None
    ) -> None:
        self.partners = partners.model_copy(update={"replication": 1})
        self._tell = on_progress or (lambda _: None)
        names = [principal.name for principal in principals(self.partners)]
        self.broker = KafkaBroker(folder, port, principals=names, on_progress=on_progress)

    def start(self) -> KafkaStatus:
        """Start the broker, unless it runs, and make the topics and rights that are missing.

        Raises:
            SharingError: As KafkaBroker.start does, or a certificate of the partners is missing on one that runs.
        """
        status = self.broker.start()
        try:
            self.broker.client(principals(self.partners)[-1].name)
            self._tell("Topics and access control entries are made.")
            apply_topics(self.broker.bootstrap, self.partners.topics, 1, self.broker.client())
            apply_acls(self.broker.bootstrap, self.partners, self.broker.client())
            write_private(self.broker.folder / PARTNERS_FILE, yaml.safe_dump(self.partners.model_dump(mode="json")))
        except BaseException:
            if not status.already_running:
                self.broker.stop()
            raise
        return status

    def environment(self, name: str) -> dict[str, str]:
        """Return the settings with which a process is this principal.

        Raises:
            InputError: The partners have none of this name.
        """
        known = {principal.name: principal for principal in principals(self.partners)}
        if name not in known:
            raise InputError(f"there is no principal {name!r}{nearest(name, known)}", field="as")
        files = self.broker.client(name)
        return {
            "SHARING_BOOTSTRAP": self.broker.bootstrap,
            "SHARING_TLS_CA": files["ssl.ca.location"],
            "SHARING_TLS_CERTIFICATE": files["ssl.certificate.location"],
            "SHARING_TLS_KEY": files["ssl.key.location"],
            "SHARING_PARTNERS": str(self.broker.folder / PARTNERS_FILE),
            **self._own(known[name]),
        }

    def _own(self, principal: Principal) -> dict[str, str]:
        return {"SHARING_STATE": principal.state} if principal.role is Role.GATE else {}
