"""Measurements, each in one run against a floor and a peer: `make bench`."""
