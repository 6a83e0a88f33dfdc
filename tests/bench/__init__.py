"""Benchmarks: the gate and other engines, measured in one run (`make bench`)."""
