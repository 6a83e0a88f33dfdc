"""How programs talk to a Kafka cluster: clients, a feed of one topic, the topics of the one table."""
