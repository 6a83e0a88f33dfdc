"""The public interface of the bus for spontaneous information between States.

```python
from sharing import Publisher, Subscriber
```

The names in `__all__` are the public interface; `docs/api.md` is generated from them. All submodules are internal and
may change in any release. A name is imported from its module on first use, so `import sharing` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharing.clients.inbox_reader import InboxReader
    from sharing.clients.notice_intake import UnreadableNotice
    from sharing.clients.publisher import Publisher, new_id
    from sharing.clients.subscriber import Subscriber
    from sharing.errors import (
        DecodeError,
        InfrastructureError,
        InputError,
        NotDeliveredError,
        PackError,
        SettingsError,
        SharingError,
    )
    from sharing.model.decision import PackReference
    from sharing.model.indicator import Indicator
    from sharing.model.notice import Notice
    from sharing.model.offer import Offer
    from sharing.model.recipient_terms import Condition, RuleReference
    from sharing.serialization.codec import decode_record
    from sharing.serialization.framing import Framing
    from sharing.serialization.schema_registry import registry_framing
    from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics

__all__ = [
    "Condition",
    "DecodeError",
    "Framing",
    "InboxReader",
    "Indicator",
    "InfrastructureError",
    "InputError",
    "NotDeliveredError",
    "Notice",
    "Offer",
    "PackError",
    "PackReference",
    "Publisher",
    "PublisherMetrics",
    "RuleReference",
    "SettingsError",
    "SharingError",
    "Subscriber",
    "SubscriberMetrics",
    "UnreadableNotice",
    "decode_record",
    "new_id",
    "registry_framing",
]

_MODULES = {
    "Condition": "sharing.model.recipient_terms",
    "DecodeError": "sharing.errors",
    "Framing": "sharing.serialization.framing",
    "InboxReader": "sharing.clients.inbox_reader",
    "Indicator": "sharing.model.indicator",
    "InfrastructureError": "sharing.errors",
    "InputError": "sharing.errors",
    "NotDeliveredError": "sharing.errors",
    "Notice": "sharing.model.notice",
    "Offer": "sharing.model.offer",
    "PackError": "sharing.errors",
    "PackReference": "sharing.model.decision",
    "Publisher": "sharing.clients.publisher",
    "PublisherMetrics": "sharing.telemetry.client_metrics",
    "RuleReference": "sharing.model.recipient_terms",
    "SettingsError": "sharing.errors",
    "SharingError": "sharing.errors",
    "Subscriber": "sharing.clients.subscriber",
    "SubscriberMetrics": "sharing.telemetry.client_metrics",
    "UnreadableNotice": "sharing.clients.notice_intake",
    "decode_record": "sharing.serialization.codec",
    "new_id": "sharing.clients.publisher",
    "registry_framing": "sharing.serialization.schema_registry",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'sharing' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
