"""The clients of the bus: publishers of indicators and subscribers to notices. `sharing` exports the public ones."""
