"""The command of Kafka's own tools with which a person tells a stopped consumer group where to continue."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

CLIENT_FILE = "client.properties"
"""Name, in printed commands, of the file with the Java client settings of the certificate."""


class ResetCommand:
    """Prints the commands that set the offsets of one group, ready to be pasted into a shell.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: librdkafka properties of the group's members. They show whether the brokers require a certificate.
        group: Id of the consumer group.
    """

    def __init__(self, bootstrap: str, properties: Mapping[str, Any], group: str) -> None:
        self._has_certificate = str(properties.get("security.protocol", "plaintext")).lower() != "plaintext"
        config = ["--command-config", CLIENT_FILE] if self._has_certificate else []
        self._start = ["kafka-consumer-groups.sh", "--bootstrap-server", bootstrap, *config, "--group", group]

    @property
    def hint(self) -> str:
        """What to prepare before the command is run, as the end of a sentence; or ""."""
        if not self._has_certificate:
            return ""
        return f" ({CLIENT_FILE} has the settings of a Java client with this client's certificate, see docs/operate.md)"

    def format(self, topic: str, partition: int, *target: str) -> str:
        """Return the command for one partition.

        Args:
            topic: Name of the topic.
            partition: Number of the partition.
            target: Where to continue, as options of the tool, such as `--to-latest`.
        """
        return shlex.join([*self._start, "--topic", f"{topic}:{partition}", "--reset-offsets", *target, "--execute"])
