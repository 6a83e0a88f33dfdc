"""Operator tasks on a running bus: rollouts, restores, moves."""
