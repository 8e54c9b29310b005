"""Settings of the property tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no failure: tests assert what comes out, never how long it took.
settings.register_profile("without-deadline", deadline=None)
settings.load_profile("without-deadline")
