"""Access to a Kafka cluster: clients, TLS, consumers, and the administration of topics and ACLs."""
