"""The `venv` layer: where packages come from, and how they are installed."""
