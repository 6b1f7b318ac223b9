"""The networks: load, segment, crop, classify, explain."""
