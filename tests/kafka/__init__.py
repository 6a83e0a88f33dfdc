"""Tests of `sharing.kafka`: the directory, TLS, topic ranges."""
