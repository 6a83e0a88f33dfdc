"""Who may do what on a cluster: principals, and their rights, from the one table of topics. All else is denied.

A principal is the CN of a client certificate. Rights are those of Kafka's ACLs; describing a topic, a group or a
transactional id comes with reading and writing it, as in Kafka itself. One prefix lets a gate write to the topics of
every State, so that a new State changes nobody's rights; what that prefix covers besides is denied by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sharing.model.countries import STATES
from sharing.topology.partners import Partners
from sharing.topology.topics import CLOCK, DIRECTORY, OFFERS, TABLE, Role, TopicKind, TopicScope


class AclResource(StrEnum):
    """What a right is about, in Kafka's words."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactionalId"
    CLUSTER = "cluster"


class AclPattern(StrEnum):
    """How a right names its resources."""

    LITERAL = "literal"
    PREFIX = "prefix"


class Operation(StrEnum):
    """What a right permits, in Kafka's words."""

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
    """Someone who connects: a role, for a State, and for an agency its id."""

    role: Role
    state: str = ""
    agency: str = ""

    @property
    def name(self) -> str:
        """The CN of its certificate: `gate.ch`, `agency.ch.fedpol`, `operator`."""
        return ".".join(part for part in (self.role, self.state.lower(), self.agency) if part)

    @property
    def group_prefix(self) -> str | None:
        """What the ids of its consumer groups begin with; None where it has none."""
        match self.role:
            case Role.GATE:
                return f"national.{self.state.lower()}.gate"
            case Role.CONSOLE:
                return f"national.{self.state.lower()}.console"
            case Role.PARTNER:
                return f"exchange.{self.state.lower()}."
            case _:
                return None


@dataclass(frozen=True, slots=True, order=True)
class AclRule:
    """What one principal may do with one resource, or with all whose names begin so; or may not, if not `allow`."""

    principal: Principal
    resource: AclResource
    pattern: AclPattern
    name: str
    operations: tuple[Operation, ...]
    allow: bool = True

    @property
    def entries(self) -> Iterator[AclEntry]:
        """Its entries in an access control list."""
        for operation in self.operations:
            yield AclEntry(
                f"User:{self.principal.name}", self.resource, self.pattern, self.name, operation, allow=self.allow
            )


@dataclass(frozen=True, slots=True, order=True)
class AclEntry:
    """One line of a cluster's access control list, for every host.

    Attributes:
        principal: As Kafka writes it: `User:gate.ch`.
        operation: In Kafka's words; a cluster may have some that no right of ours has.
    """

    principal: str
    resource: AclResource
    pattern: AclPattern
    name: str
    operation: str
    allow: bool = True

    def __str__(self) -> str:
        """Return it as a sentence: `User:gate.ch may Read topic national.ch.indicators…`."""
        rest = "…" if self.pattern is AclPattern.PREFIX else ""
        may = "may" if self.allow else "may not"
        return f"{self.principal} {may} {self.operation} {self.resource} {self.name}{rest}"


OPERATOR = Principal(Role.OPERATOR)


def principals(partners: Partners) -> tuple[Principal, ...]:
    """Return everyone who may connect."""
    found = [OPERATOR]
    for state, partner in sorted(partners.states.items()):
        found += [Principal(Role.AGENCY, state, agency) for agency in partner.agencies]
        if not partner.agencies:
            found.append(Principal(Role.AGENCY, state))
        found += [Principal(role, state) for role in (Role.GATE, Role.CONSOLE, Role.PARTNER)]
    return tuple(found)


def acl_rules(partners: Partners) -> tuple[AclRule, ...]:
    """Return every right of everyone, in order."""
    return tuple(sorted(right for principal in principals(partners) for right in acl_rules_of(principal)))


def acl_entries(partners: Partners) -> frozenset[AclEntry]:
    """Return the access control list that a cluster of these partners has, and nothing besides."""
    return frozenset(entry for right in acl_rules(partners) for entry in right.entries)


def covers(right: AclRule, name: str) -> bool:
    """Return whether a right is about the resource of this name."""
    return name.startswith(right.name) if right.pattern is AclPattern.PREFIX else right.name in {name, ANY_NAME}


def operations_on(principal: Principal, topic: str) -> frozenset[Operation]:
    """Return what a principal may do with a topic, as a broker works it out: what is denied wins."""
    allowed: set[Operation] = set()
    denied: set[Operation] = set()
    for right in acl_rules_of(principal):
        if right.resource is AclResource.TOPIC and covers(right, topic):
            (allowed if right.allow else denied).update(right.operations)
    return frozenset(allowed - denied)


def parse_principal(name: str) -> Principal | None:
    """Return who has this name (the CN of a certificate), or None when it is nobody's."""
    role, *rest = name.split(".")
    if role not in set(Role) or (len(rest) != 1 and role not in {Role.OPERATOR, Role.AGENCY}):
        return None
    principal = Principal(Role(role), rest[0].upper() if rest else "", ".".join(rest[1:]))
    known = principal.state in STATES if role != Role.OPERATOR else not rest
    return principal if known and principal.name == name else None


def acl_rules_of(principal: Principal) -> tuple[AclRule, ...]:
    """Return the rights of one principal."""
    if principal.role is Role.OPERATOR:
        return tuple(_operator())
    return (*_topics(principal), *_groups(principal))


def _topics(principal: Principal) -> Iterator[AclRule]:
    granted: dict[tuple[AclPattern, str], list[Operation]] = {}
    for kind in TABLE:
        for operation, roles in ((Operation.READ, kind.readers), (Operation.WRITE, kind.writers)):
            if principal.role in roles:
                place = _place(kind, principal, operation)
                granted.setdefault(place, []).append(operation)
    for (pattern, name), operations in sorted(granted.items()):
        yield AclRule(principal, AclResource.TOPIC, pattern, name, (*sorted(set(operations)), Operation.DESCRIBE))
    if principal.role in OFFERS.writers and principal.role not in DIRECTORY.writers:
        yield AclRule(
            principal, AclResource.TOPIC, AclPattern.LITERAL, DIRECTORY.topic(), (Operation.WRITE,), allow=False
        )


def _place(kind: TopicKind, principal: Principal, operation: Operation) -> tuple[AclPattern, str]:
    """Return which topics of a kind: a State's own, save that a gate writes to those of every other State."""
    if kind.scope is TopicScope.DIRECTORY:
        return AclPattern.LITERAL, kind.topic()
    if kind.scope is TopicScope.EXCHANGE and operation is Operation.WRITE:
        return AclPattern.PREFIX, f"{TopicScope.EXCHANGE}."
    if kind.by_agency and principal.role is Role.AGENCY and principal.agency:
        return AclPattern.LITERAL, kind.topic(principal.state, principal.agency)
    if kind.by_agency and principal.role is not Role.AGENCY:
        return AclPattern.PREFIX, kind.topic(principal.state)
    return AclPattern.LITERAL, kind.topic(principal.state)


def _groups(principal: Principal) -> Iterator[AclRule]:
    prefix = principal.group_prefix
    if prefix is not None:
        yield AclRule(principal, AclResource.GROUP, AclPattern.PREFIX, prefix, (Operation.READ, Operation.DESCRIBE))
    if principal.role is Role.GATE and prefix is not None:
        operations = (Operation.WRITE, Operation.DESCRIBE)
        yield AclRule(principal, AclResource.TRANSACTIONAL_ID, AclPattern.PREFIX, prefix, operations)


def _operator() -> Iterator[AclRule]:
    """Yield what keeps the bus running and lets nobody read it: no record of any topic but the directory."""
    config = (Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS)
    manage = (Operation.CREATE, Operation.ALTER, Operation.DESCRIBE, *config)
    yield AclRule(OPERATOR, AclResource.CLUSTER, AclPattern.LITERAL, CLUSTER_NAME, manage)
    yield AclRule(OPERATOR, AclResource.TOPIC, AclPattern.LITERAL, ANY_NAME, manage)
    yield AclRule(OPERATOR, AclResource.TOPIC, AclPattern.LITERAL, DIRECTORY.topic(), (Operation.READ,))
    yield AclRule(OPERATOR, AclResource.TOPIC, AclPattern.LITERAL, CLOCK.topic(), (Operation.WRITE,))
    yield AclRule(OPERATOR, AclResource.GROUP, AclPattern.LITERAL, ANY_NAME, (Operation.DESCRIBE,))
