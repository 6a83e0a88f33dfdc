"""The transactional lane: batches from Kafka in, their outputs, state and offsets out, in one transaction."""
