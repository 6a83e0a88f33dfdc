"""The topics, partners and ACL rules of a cluster, and their representation for Strimzi and Kafka's own tools."""
