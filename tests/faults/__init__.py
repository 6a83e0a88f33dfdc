"""Fault injection: processes, brokers, disks and networks that fail, and invalid records."""
