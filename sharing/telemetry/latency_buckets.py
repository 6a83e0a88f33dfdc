"""Bucket bounds of the latency histograms, in seconds. Gate and clients use the same, so that they can be compared."""

from __future__ import annotations

LATENCY_BUCKETS = (
    0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600,
    8 * 3_600,
)  # fmt: skip
"""Fine around 50 ms, the upper limit of a healthy gate. The last is eight hours, the shortest time limit in a law."""
