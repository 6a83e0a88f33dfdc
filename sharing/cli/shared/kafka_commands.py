"""Commands of Kafka's own tools, printed for the operator to run."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.topology.acls import AclEntry, AclRule
from sharing.topology.partners import Partners, Quotas
from sharing.topology.strimzi import (
    format_acl_commands,
    format_quota_commands,
    make_addition_command,
    make_quota_command,
    make_removal_command,
)
from sharing.topology.topics import Topic

_TOOL_OPTIONS = '--bootstrap-server "$SHARING_BOOTSTRAP" --command-config operator.properties'
"""Options of every printed Kafka command. The properties file names the operator's certificate."""


def format_addition_command(rule: AclRule) -> str:
    """Return the Kafka command that creates a rule."""
    return f"kafka-acls.sh {_TOOL_OPTIONS} {make_addition_command(rule)}"


def format_removal_command(entry: AclEntry) -> str:
    """Return the Kafka command that removes an entry."""
    return f"kafka-acls.sh {_TOOL_OPTIONS} {make_removal_command(entry)}"


def format_config_command(topic: Topic) -> str:
    """Return the Kafka command that sets the configuration of a topic to that of the table."""
    config = ",".join(f"{key}={value}" for key, value in topic.kind.config().items())
    target = f"--entity-type topics --entity-name {topic.name}"
    return f"kafka-configs.sh {_TOOL_OPTIONS} --alter {target} --add-config {config}"


def format_broker_config_command(assignment: str) -> str:
    """Return the Kafka command that sets a setting of all brokers while they run.

    Args:
        assignment: The setting and its value: `name=value`.
    """
    return f"kafka-configs.sh {_TOOL_OPTIONS} --alter --entity-type brokers --entity-default --add-config {assignment}"


def format_quota_command(name: str, quotas: Quotas) -> str:
    """Return the Kafka command that sets the quotas of one principal."""
    return f"kafka-configs.sh {_TOOL_OPTIONS} {make_quota_command(name, quotas)}"


def format_setup_commands(partners: Partners) -> Iterator[str]:
    """Yield the Kafka commands that create the access control entries and set the quotas."""
    yield from (f"kafka-acls.sh {_TOOL_OPTIONS} {command}" for command in format_acl_commands(partners))
    yield from (f"kafka-configs.sh {_TOOL_OPTIONS} {command}" for command in format_quota_commands(partners))
