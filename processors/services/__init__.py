"""What runs in a worker alongside its loops: followers of topics and files, the heartbeat, time stamps, escalations."""
