"""Records as bytes: Avro schemas, framing, a Schema Registry, CloudEvents headers."""
