"""What runs in a worker beside its loops: followers of topics and files, the heartbeat, time stamps, escalations."""
