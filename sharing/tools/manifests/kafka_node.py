"""The configuration of the single Kafka node of the compose trial: mutual TLS, and access denied by default."""

from __future__ import annotations

from sharing.tools.manifests.common import HEADER, TLS_PORT
from sharing.topology.broker_settings import list_connection_limits, list_required_settings

HOST = "kafka"
"""Host name of the node in the compose network and in its certificate."""

BROKER = "broker"
"""CN of the node's certificate. It is the only super user, and the name of no other principal."""

CONTROLLER_PORT = 9094
DATA = "/var/lib/kafka/data"
SECRETS = "/run/secrets"

_STORES = {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": f"{SECRETS}/{BROKER}.keystore",
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": f"{SECRETS}/ca.pem",
}

SERVER = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": f"1@{HOST}:{CONTROLLER_PORT}",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENTS",
    "listeners": f"CLIENTS://:{TLS_PORT},CONTROLLER://:{CONTROLLER_PORT}",
    "advertised.listeners": f"CLIENTS://{HOST}:{TLS_PORT}",
    "listener.security.protocol.map": "CLIENTS:SSL,CONTROLLER:SSL",
    **_STORES,
    "ssl.client.auth": "required",
    # The principal is the CN if it comes first and has plain letters only. A CN elsewhere in the subject is ignored.
    "ssl.principal.mapping.rules": "RULE:^CN=([a-zA-Z0-9.-]+)(,.*)?$/$1/,DEFAULT",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "false",
    "super.users": f"User:{BROKER}",
    "log.dirs": DATA,
    **list_required_settings(),
    **list_connection_limits(),
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}

CLIENT = {"security.protocol": "SSL", **_STORES}
"""Client configuration of the node's health check."""


def render_properties(values: dict[str, str]) -> str:
    """Return the text of a Java properties file. No value here contains a character that must be escaped."""
    return HEADER + "".join(f"{key}={value}\n" for key, value in values.items())
