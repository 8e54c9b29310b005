"""The `python` layer: which CPython is asked for, which one it is, and its unpacking."""
