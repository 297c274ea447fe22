"""Running Programs: line by line on NumPy (or on tensors, which records), or compiled."""
