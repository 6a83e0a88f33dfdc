"""What a worker adds to the audit logs of its State."""
