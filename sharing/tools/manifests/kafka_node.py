"""The configuration of the one Kafka node of the trial by compose: mutual TLS everywhere, and all denied by default."""

from __future__ import annotations

from sharing.tools.manifests.common import HEADER, TLS_PORT

HOST = "kafka"
"""Its name in the network of the composition, and in its certificate."""

BROKER = "broker"
"""CN of its own certificate: its super user, and nobody else's name."""

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
    # The CN, where it comes first and is of plain letters; whoever hides one elsewhere is nobody.
    "ssl.principal.mapping.rules": "RULE:^CN=([a-zA-Z0-9.-]+)(,.*)?$/$1/,DEFAULT",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "false",
    "super.users": f"User:{BROKER}",
    "log.dirs": DATA,
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}

CLIENT = {"security.protocol": "SSL", **_STORES}
"""By which the node asks itself whether it is well."""


def properties(values: dict[str, str]) -> str:
    """Return them in Java's syntax. None of these has a character that would need an escape, but the backslash."""
    return HEADER + "".join(f"{key}={value}\n" for key, value in values.items())
