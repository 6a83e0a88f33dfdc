"""How conversations are stored: the entries of the state store, the index of what is due, and what consoles list. Pure.

The store is a dictionary for each partition, whose changelog is the topic `national.<st>.conversations`. It has an
entry for each item and direction: the State's own items, and those of other States. For each batch, a loop reads
and changes them by `BatchEntries`, which keeps the `DueIndex` in step. Consoles read the changelog, and show the open
Asks by `show_ask`.
"""
