"""Exit codes of a buildpack's programs (buildpack.md, Buildpack Interface)."""

PASS = 0
ERROR = 1
FAIL = 100
