"""A Cloud Native Buildpack for Python apps."""
