"""The roots and the key statement of a State as they are in its directory topic: they prove its keys to others.

Only what verifies from the pinned root is returned: anybody with rights on the cluster may have written there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sharing.directory.state_chain import KEYS_KEY, StateChain, make_root_key
from sharing.errors import InfrastructureError
from sharing.kafka.directory_own_topic import OwnTopic
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import DIRECTORY
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.root import Pin


def read_key_documents(
    bootstrap: str,
    pin: Pin,
    now: int,
    properties: Mapping[str, Any] | None = None,
    framing: Framing = SINGLE_OBJECT_FRAMING,
) -> tuple[list[bytes], bytes, TrustedKeys]:
    """Return the roots of a State starting with the pinned one, its key statement, and the keys that they prove.

    Args:
        bootstrap: Kafka bootstrap servers.
        pin: The State's pinned root.
        now: The reader's clock, in UTC milliseconds.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.

    Raises:
        InfrastructureError: The topic, or a part of it, cannot be read.
        TrustError: What is in it does not lead to a key statement.
    """
    written: defaultdict[str, list[bytes]] = defaultdict(list)

    def receive(key: str, value: bytes | None) -> None:
        if value:
            written[key].append(value)

    topic = OwnTopic(bootstrap, pin.state, properties or {}, framing)
    topic.read_to_end(receive)
    if not topic.is_whole:
        raise InfrastructureError(
            f"{DIRECTORY.topic(pin.state)}: records cannot be read, and a newer root or a revocation may be in them; "
            f"have the operators create the topic again, and {pin.state} announce again"
        )
    chain = StateChain(pin)
    roots: list[bytes] = []
    version = pin.version
    while written[make_root_key(version)]:
        before = chain.root
        accepted = [
            value
            for value in written[make_root_key(version)]
            if chain.receive(make_root_key(version), value, now) is None
        ]
        if chain.root is before:
            break
        roots.append(accepted[0])
        version += 1
    for value in reversed(written[KEYS_KEY]):
        if chain.receive(KEYS_KEY, value, now) is None and chain.keys is not None:
            return roots, value, chain.keys
    raise chain.find_fault(now) or TrustError(TrustFault.VERSION_MISSING, f"{pin.state} has no key statement")
