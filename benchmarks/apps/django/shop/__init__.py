"""The large app of the benchmark."""
