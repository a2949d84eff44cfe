"""What the quick tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes says more of what else the machine does than of the program.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
