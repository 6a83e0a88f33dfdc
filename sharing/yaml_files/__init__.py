"""YAML as people and other programs read and write it: with the line of each key, and in the order of the keys.

- `source`: reads YAML texts, and keeps the line of each key.
- `faults`: collects what is wrong with one, so that everything is reported at once.
- `dump`: writes it.
"""
