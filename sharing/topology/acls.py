"""The principals of a cluster and their ACL rules, derived from the topic table. Everything else is denied.

A principal is the CN of a client certificate. The rules are Kafka ACLs: permission to read or write a topic, a group or
a transactional id includes permission to describe it, as in Kafka itself. One prefix rule lets a gate write to the
topics of every State, so a new State does not change the rules of the others. The directory has another prefix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sharing.model.countries import STATES
from sharing.topology.group_names import make_load_prefix
from sharing.topology.partners import Partners
from sharing.topology.topic_kinds import Role, TopicKind, TopicScope
from sharing.topology.topics import CLOCK, INDICATORS, TOPIC_KINDS


class AclResource(StrEnum):
    """The types of resource that an ACL rule can apply to, by Kafka's names."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactionalId"
    CLUSTER = "cluster"


class AclPattern(StrEnum):
    """How an ACL rule matches resource names."""

    LITERAL = "literal"
    PREFIX = "prefix"


class Operation(StrEnum):
    """The operations that an ACL rule can permit or deny, by Kafka's names."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    ALTER = "Alter"
    DELETE = "Delete"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    ALTER_CONFIGS = "AlterConfigs"


CLUSTER_NAME = "kafka-cluster"
ANY_NAME = "*"


@dataclass(frozen=True, slots=True, order=True)
class Principal:
    """The identity of a client.

    Attributes:
        role: What the client is.
        state: Country code of its State; "" for the operator.
        agency: Id of its agency, if the State lists agencies; otherwise "".
    """

    role: Role
    state: str = ""
    agency: str = ""

    @property
    def name(self) -> str:
        """The CN of its certificate: `gate.ch`, `agency.ch.fedpol`, `operator`."""
        return ".".join(part for part in (self.role, self.state.lower(), self.agency) if part)

    @property
    def group_prefix(self) -> str | None:
        """The prefix of the ids of its consumer groups; None if it may not use any."""
        match self.role:
            case Role.GATE:
                return f"national.{self.state.lower()}.gate"
            case Role.CONSOLE:
                return f"national.{self.state.lower()}.console"
            case Role.PARTNER:
                return f"exchange.{self.state.lower()}."
            case Role.AGENCY:  # no consumer joins it: it records how far a bulk load has got
                return make_load_prefix(self.state, self.agency)
            case _:
                return None


@dataclass(frozen=True, slots=True, order=True)
class AclRule:
    """Permits, or denies, one principal some operations on a resource or on all resources with a prefix.

    Attributes:
        principal: The principal.
        resource: Type of the resource.
        pattern: Whether `name` is the whole name or a prefix.
        name: Name or prefix of the resource.
        operations: The operations.
        allow: Whether the operations are permitted; otherwise they are denied.
    """

    principal: Principal
    resource: AclResource
    pattern: AclPattern
    name: str
    operations: tuple[Operation, ...]
    allow: bool = True

    @property
    def entries(self) -> Iterator[AclEntry]:
        """The entries in a cluster's access control list, one for each operation."""
        for operation in self.operations:
            yield AclEntry(
                f"User:{self.principal.name}", self.resource, self.pattern, self.name, operation, allow=self.allow
            )


@dataclass(frozen=True, slots=True, order=True)
class AclEntry:
    """One entry of a cluster's access control list, for clients on all hosts.

    Attributes:
        principal: The principal in Kafka's notation: `User:gate.ch`.
        resource: Type of the resource.
        pattern: Whether `name` is the whole name or a prefix.
        name: Name or prefix of the resource.
        operation: Kafka's name of the operation; a cluster may contain operations that no rule of this bus uses.
        allow: Whether the operation is permitted; otherwise it is denied.
    """

    principal: str
    resource: AclResource
    pattern: AclPattern
    name: str
    operation: str
    allow: bool = True

    def to_document(self) -> dict[str, str]:
        """Return it as the command line's JSON shows it."""
        return {
            "principal": self.principal,
            "permission": "Allow" if self.allow else "Deny",
            "operation": self.operation,
            "resource": self.resource,
            "pattern": self.pattern,
            "name": self.name,
        }

    def __str__(self) -> str:
        """Return it as a sentence: `User:gate.ch may Read topic national.ch.indicators…`."""
        ellipsis = "…" if self.pattern is AclPattern.PREFIX else ""
        may = "may" if self.allow else "may not"
        return f"{self.principal} {may} {self.operation} {self.resource} {self.name}{ellipsis}"


OPERATOR = Principal(Role.OPERATOR)


def list_principals(partners: Partners) -> tuple[Principal, ...]:
    """Return every principal that may connect."""
    principals = [OPERATOR]
    for state, partner in sorted(partners.states.items()):
        principals += [Principal(Role.AGENCY, state, agency) for agency in partner.agencies]
        if not partner.agencies:
            principals.append(Principal(Role.AGENCY, state))
        principals += [Principal(role, state) for role in (Role.GATE, Role.CONSOLE, Role.PARTNER)]
    return tuple(principals)


def list_acl_rules(partners: Partners) -> tuple[AclRule, ...]:
    """Return the ACL rules of all principals, sorted."""
    return tuple(sorted(rule for principal in list_principals(partners) for rule in make_acl_rules(principal)))


def list_acl_entries(partners: Partners) -> frozenset[AclEntry]:
    """Return the complete access control list of a cluster with these partners."""
    return frozenset(entry for rule in list_acl_rules(partners) for entry in rule.entries)


def make_resend_rule(state: str) -> AclRule:
    """Return the one rule that `sharing keys resend` needs beyond those of the State's gate, for as long as it runs.

    Nobody has the right to read *and* write indicators: agencies write them, the gate reads them. It is not in the
    topic table, so that it does not remain: `sharing doctor` reports it as too wide.
    """
    gate = Principal(Role.GATE, state)
    pattern, name = _match_topics(INDICATORS, gate, Operation.READ)
    return AclRule(gate, AclResource.TOPIC, pattern, name, (Operation.WRITE,))


def covers_resource(rule: AclRule, name: str) -> bool:
    """Return whether an ACL rule applies to the resource of this name."""
    return name.startswith(rule.name) if rule.pattern is AclPattern.PREFIX else rule.name in {name, ANY_NAME}


def allowed_operations(principal: Principal, topic: str) -> frozenset[Operation]:
    """Return the operations that a principal may perform on a topic. As on a broker, a denial wins."""
    allowed: set[Operation] = set()
    denied: set[Operation] = set()
    for rule in make_acl_rules(principal):
        if rule.resource is AclResource.TOPIC and covers_resource(rule, topic):
            (allowed if rule.allow else denied).update(rule.operations)
    return frozenset(allowed - denied)


def may_see(principal: Principal, topic: str) -> bool:
    """Return whether a broker lists a topic for a principal: topics that it may not describe are hidden.

    A gate's rule for size limits covers all national topics, including `uses`, which it may neither read nor write.
    """
    return Operation.DESCRIBE in allowed_operations(principal, topic)


def parse_principal(name: str) -> Principal | None:
    """Return the principal with this name (the CN of a certificate), or None if there is none."""
    role, *parts = name.split(".")
    if role not in set(Role) or (len(parts) != 1 and role not in {Role.OPERATOR, Role.AGENCY}):
        return None
    principal = Principal(Role(role), parts[0].upper() if parts else "", ".".join(parts[1:]))
    is_known = principal.state in STATES if role != Role.OPERATOR else not parts
    return principal if is_known and principal.name == name else None


def make_acl_rules(principal: Principal) -> tuple[AclRule, ...]:
    """Return the ACL rules of one principal."""
    if principal.role is Role.OPERATOR:
        return tuple(_iter_operator_rules())
    return (*_iter_topic_rules(principal), *_iter_group_rules(principal))


def _iter_topic_rules(principal: Principal) -> Iterator[AclRule]:
    granted: dict[tuple[AclPattern, str], list[Operation]] = {}
    for kind in TOPIC_KINDS:
        for operation, roles in ((Operation.READ, kind.readers), (Operation.WRITE, kind.writers)):
            if principal.role in roles:
                resource = _match_topics(kind, principal, operation)
                granted.setdefault(resource, []).append(operation)
    for (pattern, name), operations in sorted(granted.items()):
        yield AclRule(principal, AclResource.TOPIC, pattern, name, (*sorted(set(operations)), Operation.DESCRIBE))
    if principal.role is Role.GATE:
        # A gate reads the size limits of the topics that it writes to.
        for prefix in (f"{TopicScope.EXCHANGE}.", f"{TopicScope.NATIONAL}.{principal.state.lower()}."):
            yield AclRule(principal, AclResource.TOPIC, AclPattern.PREFIX, prefix, (Operation.DESCRIBE_CONFIGS,))


def _match_topics(kind: TopicKind, principal: Principal, operation: Operation) -> tuple[AclPattern, str]:
    """Return pattern and name of a kind's topics: those of the State, or of all States for a gate's writes."""
    if kind.scope is TopicScope.SHARED:
        return AclPattern.LITERAL, kind.topic()
    if kind.scope.has_one_writer and operation is Operation.READ:
        return AclPattern.PREFIX, f"{kind.scope}."
    if kind.scope is TopicScope.EXCHANGE and operation is Operation.WRITE:
        return AclPattern.PREFIX, f"{TopicScope.EXCHANGE}."
    if kind.by_agency and principal.role is Role.AGENCY and principal.agency:
        return AclPattern.LITERAL, kind.topic(principal.state, principal.agency)
    if kind.by_agency and principal.role is not Role.AGENCY:
        return AclPattern.PREFIX, kind.topic(principal.state)
    return AclPattern.LITERAL, kind.topic(principal.state)


def _iter_group_rules(principal: Principal) -> Iterator[AclRule]:
    prefix = principal.group_prefix
    if prefix is not None:
        yield AclRule(principal, AclResource.GROUP, AclPattern.PREFIX, prefix, (Operation.READ, Operation.DESCRIBE))
    if principal.role in {Role.GATE, Role.AGENCY, Role.CONSOLE} and prefix is not None:
        operations = (Operation.WRITE, Operation.DESCRIBE)
        yield AclRule(principal, AclResource.TRANSACTIONAL_ID, AclPattern.PREFIX, prefix, operations)


def _iter_operator_rules() -> Iterator[AclRule]:
    """Yield the rules for administration. They permit reading what is public among States, and no other records."""
    config = (Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS)
    manage = (Operation.CREATE, Operation.ALTER, Operation.DESCRIBE, *config)
    yield AclRule(OPERATOR, AclResource.CLUSTER, AclPattern.LITERAL, CLUSTER_NAME, manage)
    yield AclRule(OPERATOR, AclResource.TOPIC, AclPattern.LITERAL, ANY_NAME, manage)
    for scope in (TopicScope.DIRECTORY, TopicScope.CHECKPOINTS):
        yield AclRule(OPERATOR, AclResource.TOPIC, AclPattern.PREFIX, f"{scope}.", (Operation.READ,))
    yield AclRule(OPERATOR, AclResource.TOPIC, AclPattern.LITERAL, CLOCK.topic(), (Operation.WRITE,))
    yield AclRule(OPERATOR, AclResource.GROUP, AclPattern.LITERAL, ANY_NAME, (Operation.DESCRIBE,))
