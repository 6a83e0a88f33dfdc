"""Bounds of the latency histograms, in seconds: one list for the gate and its clients, so that they can be compared."""

from __future__ import annotations

LATENCY_BUCKETS = (
    0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600,
    8 * 3_600,
)  # fmt: skip
"""Fine around 50 ms, below which a healthy gate stays; up to eight hours, the shortest time limit that a law sets."""
