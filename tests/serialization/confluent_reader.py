"""Reads one notice with Confluent's deserializer, without any code of this project: run with `python -I`.

Arguments: bootstrap servers, registry URL, topic. Prints the record as JSON.
"""

from __future__ import annotations

import faulthandler
import json
import sys
import uuid

from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

# If it hangs, the test shows where.
faulthandler.dump_traceback_later(180, exit=True)
# In one of twenty runs, the registry does not answer the first request, and without a limit this client waits forever.
REGISTRY_TIMEOUT_S = 10
bootstrap, url, topic = sys.argv[1:]
deserialize = AvroDeserializer(SchemaRegistryClient({"url": url, "timeout": REGISTRY_TIMEOUT_S}))
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap, "group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
    }
)  # fmt: skip
consumer.subscribe([topic])
message = consumer.poll(30)
while message is not None and (message.error() or (message.value() or b"")[:1] != b"\0"):
    message = consumer.poll(30)
assert message is not None
record = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
sys.stdout.write(json.dumps(record, default=str))
assert not any(name == "sharing" or name.startswith("sharing.") for name in sys.modules)
consumer.close()
