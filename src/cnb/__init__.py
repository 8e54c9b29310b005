"""A binding of the Cloud Native Buildpacks specification (Buildpack API 0.10)."""
