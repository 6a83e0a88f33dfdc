"""The bus outside of its stream processors: model, law, relevance, wire, Kafka's clients, deployment, command line."""
