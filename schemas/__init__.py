"""Avro schemas of every record on the bus: the current ones, and under `released/` every version ever released."""
