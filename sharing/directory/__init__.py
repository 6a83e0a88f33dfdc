"""Directory entries as signed statements: what a State signs, and what a reader accepts of it.

Pure: time is an argument, and records are bytes. `sharing.kafka.directory_reader` reads them from a cluster, and
`sharing.kafka.directory_writer` writes those of this State.

- `statement`: one statement: its bytes, its signature.
- `announcements`: what a State states next.
- `numbers_ahead`: numbers of statements that a State has signed and whose time has not come.
- `state_chain`: what a reader has verified of one State, from the pinned root to the entry.
- `chain_memory`, `lasting_chain`: the same across restarts: what is remembered of it, and taken over.
- `trusted_directory`: the chains of all States that are pinned.
"""
