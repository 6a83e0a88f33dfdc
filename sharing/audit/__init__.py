"""The audit log: blocks of decisions and acts, chained by partition, and the proofs that none was changed or left out.

Everything here is pure: randomness, clocks and keys are arguments.
"""
