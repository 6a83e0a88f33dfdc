"""The demonstration: the main job on shipped data, with a gate of its own process for each of four States."""
