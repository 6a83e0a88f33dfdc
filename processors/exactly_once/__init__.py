"""The exactly-once loop: consumes batches from Kafka and commits outputs, state and offsets in one transaction."""
