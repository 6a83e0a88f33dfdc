"""Health of a worker: metrics of its batches, status of its consumer, and the HTTP endpoints that serve them."""
