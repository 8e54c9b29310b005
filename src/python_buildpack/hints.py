"""What usually mends a well-known installation failure, told from the tool's output. Pure."""

from __future__ import annotations

import re

_HINTS: tuple[tuple[str, str], ...] = (
    (r"No space left on device|os error 28", "The disk is full: free some space and build again."),
    (
        r"hash(es)? (mismatch|do not match)|Hash mismatch|DO NOT MATCH THE HASHES",
        "A file is not the one whose hash was recorded: refresh the hashes, "
        "or find out who changed the file.",
    ),
    (
        r"No matching distribution|No solution found|no version of|not found in the package registry",
        "Check the name and version, that a release exists for this Python, and that the index "
        "that holds it is configured.",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies|requirements are unsatisfiable",
        "Two requirements exclude each other: relax one of them.",
    ),
    (
        r"[^\s]+\.h: No such file|command '?(gcc|cc|x86_64-linux-gnu-gcc)'? failed|error: linker",
        "A package is built from source and lacks a compiler or a header: choose a version that "
        "has a wheel, or a build image with the missing -dev package.",
    ),
    (
        r"Connection refused|Name or service not known|Temporary failure in name resolution|"
        r"dns error|Failed to establish a new connection",
        "The package index cannot be reached: check the network, proxy and index settings.",
    ),
    (r"(401|403).*(Unauthorized|Forbidden)|401 Error", "The index refused the credentials."),
    (r"setuptools.scm|unable to detect version", "Set SETUPTOOLS_SCM_PRETEND_VERSION."),
)


def hint(output: str) -> str:
    """A sentence with the next step."""
    for pattern, text in _HINTS:
        if re.search(pattern, output):
            return text
    return "Install the same requirements locally to see the failure in full."
