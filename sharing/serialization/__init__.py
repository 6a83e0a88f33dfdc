"""Serialization of records: Avro codecs, framing, the Schema Registry, and event headers."""
