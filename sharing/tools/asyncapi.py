"""The bus as an AsyncAPI 3 document: channels, messages and operations, for those who connect with code of their own.

    python -m sharing.tools.asyncapi docs/asyncapi.yaml

Made from the one table of topics, the Avro schemas, the headers and the principals; nothing of it is written by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sharing.model.countries import STATES
from sharing.serialization.cloud_events import CONTENT_TYPE, TRACEPARENT, EventHeaders
from sharing.serialization.codec import RECORD_BYTES_MAX, SCHEMA_NAMES, schema_text
from sharing.tools.script import run_program
from sharing.topology.acls import Principal
from sharing.topology.partners import Partners
from sharing.topology.topics import (
    AGENCY_PATTERN,
    INDICATORS,
    NOTICES,
    OFFERS,
    TABLE,
    URGENT,
    Role,
    TopicKind,
    TopicScope,
)
from sharing.yaml_dump import to_yaml

SPECIFICATION = "3.1.0"
AVRO = "application/vnd.apache.avro+json;version=1.9.0"
"""The schemas' format, as AsyncAPI names it; the version is that of Avro's schema language."""

BINDING = "0.5.0"
WITH_HEADERS = (INDICATORS, OFFERS, NOTICES, URGENT)
"""What carries CloudEvents headers: what publishers write, and what leaves a State."""

_HEADERS: Mapping[str, Mapping[str, str]] = {
    "ce_source": {"format": "uri-reference"},
    "ce_time": {"format": "date-time", "description": "When it was written, UTC."},
    "ce_id": {"description": "Of the event, unique for its source."},
    "ce_subject": {"format": "uuid", "description": "Id of the indicator that it is about."},
    TRACEPARENT: {"description": "W3C Trace Context, from the publisher to the notice."},
}

USAGE = "usage: python -m sharing.tools.asyncapi FILE.yaml\n"

_STATE, _AGENCY = "{state}", "{agency}"
_CERTIFICATES: Mapping[Role, Principal] = {
    Role.AGENCY: Principal(Role.AGENCY, "<st>", "<agency>"),
    **{role: Principal(role, "<st>") for role in (Role.GATE, Role.CONSOLE, Role.PARTNER)},
    Role.OPERATOR: Principal(Role.OPERATOR),
}
_WHO: Mapping[Role, str] = {
    Role.AGENCY: "an agency, which writes as itself only; `agency.<st>` where a State lists none",
    Role.GATE: "a State's gate",
    Role.CONSOLE: "a State's officers",
    Role.PARTNER: "a State's subscribers",
    Role.OPERATOR: "who runs the cluster, and reads no record but the directory's",
}
_ABOUT = f"""\
Spontaneous information between States over Kafka. Agencies publish indicators, the gate of their State decides by its
law who gets what, and the receiving States read notices and offers.

Records are Avro in single-object encoding (`C3 01`, the CRC-64-AVRO fingerprint of the writer's schema in
little-endian order, the record), or in Confluent's wire format where the cluster has a Schema Registry; readers take
both. A record has at most {RECORD_BYTES_MAX} bytes. Read with `isolation.level=read_committed`; partitions follow from
keys by murmur2. Keys and headers hold ids only.

Operations are seen from the party that acts. How many partitions and replicas there are, and which States and agencies,
is said by a cluster's partners file; the figures here are its defaults.
"""


def document() -> dict[str, Any]:
    """Return the document."""
    return {
        "asyncapi": SPECIFICATION,
        "info": {
            "title": "Sharing bus",
            "version": version("sharing-bus"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"cluster": _server()},
        "channels": {name: _channel(kind, name) for name, kind in _channels().items()},
        "operations": dict(_operations()),
        "components": {
            "messages": {_name(kind): _message(kind) for kind in TABLE},
            "schemas": {_title(name): _avro(name) for name in SCHEMA_NAMES},
            "parameters": _parameters(),
            "securitySchemes": {f"{role}Certificate": _scheme(role) for role in Role},
        },
    }


def render() -> str:
    """Return the document as YAML; the same text for the same sources."""
    head = "# Made by `make asyncapi` from the table of topics, the schemas and the headers: change those, not this.\n"
    return head + to_yaml(document(), width=120)


def _server() -> dict[str, Any]:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka-secure",
        "description": "Mutual TLS; the CN of a client's certificate says who it is, and an ACL what it may do.",
        "variables": {"bootstrap": {"description": "Brokers of the cluster.", "default": "kafka.example:9093"}},
        "security": [{"$ref": f"#/components/securitySchemes/{role}Certificate"} for role in Role],
    }


def _scheme(role: Role) -> dict[str, str]:
    return {"type": "X509", "description": f"CN `{_CERTIFICATES[role].name}`: {_WHO[role]}."}


def _channels() -> dict[str, TopicKind]:
    found = {}
    for kind in TABLE:
        found[_name(kind)] = kind
        if kind.by_agency:
            found[f"{_name(kind)}ByAgency"] = kind
    return found


def _name(kind: TopicKind) -> str:
    return kind.name


def _title(schema: str) -> str:
    return "".join(part.capitalize() for part in schema.split("_"))


def _channel(kind: TopicKind, name: str) -> dict[str, Any]:
    by_agency = name != _name(kind)
    parameters = [] if kind.scope is TopicScope.DIRECTORY else ["state", *(["agency"] if by_agency else [])]
    alone = kind.by_agency and not by_agency
    which = " One topic for each agency, where the State lists its agencies." if by_agency else ""
    return {
        "address": kind.topic(_STATE, _AGENCY if by_agency else ""),
        "description": f"{kind.writer} → {kind.reader}.{which}"
        + (" Where it lists none, one for all." if alone else ""),
        "messages": {_name(kind): {"$ref": f"#/components/messages/{_name(kind)}"}},
        "servers": [{"$ref": "#/servers/cluster"}],
        **(
            {"parameters": {each: {"$ref": f"#/components/parameters/{each}"} for each in parameters}}
            if parameters
            else {}
        ),
        "bindings": {"kafka": _topic_binding(kind)},
    }


def _topic_binding(kind: TopicKind) -> dict[str, Any]:
    defaults = Partners.of(["CH"], replication=Partners.model_fields["replication"].default)
    config = kind.config()
    return {
        "partitions": 1 if kind.single else defaults.partitions,
        "replicas": defaults.replication,
        "topicConfiguration": {
            **config,
            "cleanup.policy": [config["cleanup.policy"]],
            "retention.ms": int(config["retention.ms"]),
        },
        "bindingVersion": BINDING,
    }


def _operations() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, kind in _channels().items():
        for action, roles in (("send", kind.writers), ("receive", kind.readers)):
            for role in Role:
                if role in roles:
                    title = name[0].upper() + name[1:]
                    found.append((f"{role}{action.capitalize()}s{title}", _operation(name, kind, action, role)))
    return found


def _operation(name: str, kind: TopicKind, action: str, role: Role) -> dict[str, Any]:
    whose = "Those of the other States." if kind.scope is TopicScope.EXCHANGE and action == "send" else ""
    prefix = _CERTIFICATES[role].group_prefix if action == "receive" else None
    group = {
        "groupId": {"type": "string", "description": f"Begins with `{prefix}`."},
        "bindingVersion": BINDING,
    }
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        **({"description": whose} if whose else {}),
        "messages": [{"$ref": f"#/channels/{name}/messages/{_name(kind)}"}],
        "security": [{"$ref": f"#/components/securitySchemes/{role}Certificate"}],
        **({"bindings": {"kafka": group}} if prefix else {}),
    }


def _message(kind: TopicKind) -> dict[str, Any]:
    if not kind.schema:
        return {
            "name": kind.name,
            "title": kind.name.capitalize(),
            "summary": "Empty: the broker's confirmation tells its time.",
        }
    key = {"type": "string", "description": f"The {kind.key}."}
    if kind.key.endswith(" id"):
        key["format"] = "uuid"
    schema = json.loads(schema_text(kind.schema))
    return {
        "name": f"{schema['namespace']}.{schema['name']}",
        "title": schema["name"],
        "summary": schema["doc"],
        "contentType": CONTENT_TYPE,
        **({"headers": _headers(kind)} if kind in WITH_HEADERS else {}),
        "payload": {"$ref": f"#/components/schemas/{_title(kind.schema)}"},
        "bindings": {
            "kafka": {
                "key": key,
                "schemaIdLocation": "payload",
                "schemaLookupStrategy": "TopicNameStrategy",
                "bindingVersion": BINDING,
            }
        },
    }


def _avro(name: str) -> dict[str, Any]:
    return {"schemaFormat": AVRO, "schema": json.loads(schema_text(name))}


def _headers(kind: TopicKind) -> dict[str, Any]:
    """Return CloudEvents 1.0 in Kafka's binary mode and the W3C's trace context, as they are made for a kind."""
    made = dict(EventHeaders(kind, "<st>").at(0).make("", "", ""))
    fixed = {"content-type", "ce_specversion", "ce_type"}
    properties: dict[str, Any] = {
        name: {"type": "string", **({"const": value} if name in fixed else _HEADERS[name])}
        for name, value in made.items()
    }
    properties["ce_source"]["description"] = f"`{made['ce_source']!s}`: whose agencies or gate wrote it."
    return {
        "type": "object",
        "description": "CloudEvents 1.0, Kafka protocol binding, binary mode; UTF-8. Ids only.",
        "required": [name for name in made if name != TRACEPARENT],
        "properties": properties,
    }


def _parameters() -> dict[str, Any]:
    return {
        "state": {
            "description": "ISO 3166-1 alpha-2 code, lower case; XA and XB are test States.",
            "enum": sorted(code.lower() for code in STATES),
        },
        "agency": {"description": f"Id of an agency in the partners file: `{AGENCY_PATTERN}`.", "examples": ["fedpol"]},
    }


def main(arguments: list[str]) -> int:
    """Write the document to a file; return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write(USAGE)
        return 2

    def work() -> None:
        Path(arguments[0]).write_text(render(), encoding="utf-8")

    return run_program(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
