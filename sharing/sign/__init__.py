"""One signature for many objects: a gate signs the root of a tree once for each batch.

Pure: randomness and time are arguments.

- `merkle_tree`: trees, inclusion paths and their verification, as RFC 9162 defines them.
- `batch_tree`: the tree of a batch, which has one blinded tree for each recipient below it.
- `batch_statement`: what is signed for a batch.
"""
