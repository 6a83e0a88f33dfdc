"""A local broker with access control: certificates, topics, ACLs and quotas for every principal of a partners file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from sharing.errors import InputError
from sharing.kafka.acl_admin import apply_acls
from sharing.kafka.topic_admin import apply_topics
from sharing.model.validation_errors import suggest_nearest
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.run_state import write_private_file
from sharing.topology.acls import Principal, list_principals
from sharing.topology.topic_kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sharing.testing.broker.run_state import KafkaStatus
    from sharing.topology.partners import Partners

PARTNERS_FILE = "partners.yaml"


class SecureKafka:
    """The broker of a folder with mutual TLS, an authorizer, and topics and ACLs of the partners.

    Args:
        folder: As for KafkaBroker.
        partners: The partners on the cluster; the replication factor is set to 1.
        port: As for KafkaBroker.
        on_progress: Called with a message before each slow step.
    """

    def __init__(
        self, folder: Path, partners: Partners, port: int = 0, *, on_progress: Callable[[str], None] | None = None
    ) -> None:
        self.partners = partners.model_copy(update={"replication": 1})
        self._on_progress = on_progress or (lambda _: None)
        names = [principal.name for principal in list_principals(self.partners)]
        self.broker = KafkaBroker(folder, port, principals=names, on_progress=on_progress)

    def start(self) -> KafkaStatus:
        """Start the broker if it is not running, and create missing topics and ACLs.

        Raises:
            SharingError: As for KafkaBroker.start; or the running broker lacks a certificate of a partner.
        """
        status = self.broker.start()
        try:
            self.broker.client_properties(list_principals(self.partners)[-1].name)
            self._on_progress("Creating topics and access control entries.")
            apply_topics(self.broker.bootstrap, self.partners.topics, 1, self.broker.client_properties())
            apply_acls(self.broker.bootstrap, self.partners, self.broker.client_properties())
            from sharing.kafka.quota_admin import apply_quotas  # noqa: PLC0415 kafka-python takes long to import

            apply_quotas(self.broker.bootstrap, self.partners, self.broker.client_properties())
            write_private_file(
                self.broker.folder / PARTNERS_FILE, yaml.safe_dump(self.partners.model_dump(mode="json"))
            )
        except BaseException:
            if not status.already_running:
                self.broker.stop()
            raise
        return status

    def environment(self, name: str) -> dict[str, str]:
        """Return the settings of a process that acts as this principal.

        Raises:
            InputError: The partners have no such principal.
        """
        known = {principal.name: principal for principal in list_principals(self.partners)}
        if name not in known:
            raise InputError(f"there is no principal {name!r}{suggest_nearest(name, known)}", field="as")
        files = self.broker.client_properties(name)
        return {
            "SHARING_BOOTSTRAP": self.broker.bootstrap,
            "SHARING_TLS_CA": files["ssl.ca.location"],
            "SHARING_TLS_CERTIFICATE": files["ssl.certificate.location"],
            "SHARING_TLS_KEY": files["ssl.key.location"],
            "SHARING_PARTNERS": str(self.broker.folder / PARTNERS_FILE),
            **self._role_settings(known[name]),
        }

    def _role_settings(self, principal: Principal) -> dict[str, str]:
        return {"SHARING_STATE": principal.state} if principal.role is Role.GATE else {}
