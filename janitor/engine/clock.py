"""Compares our clock with the provider's: ages by a wrong clock are no evidence."""

from __future__ import annotations

from datetime import datetime, timedelta

from janitor.errors import ClockSkewed

LARGEST_SKEW = timedelta(minutes=5)


def require_true_clock(ours: datetime, theirs: datetime | None) -> None:
    """Raise ClockSkewed where the provider contradicts our clock; None says nothing."""
    if theirs is None:
        return
    skew = ours - theirs
    if abs(skew) > LARGEST_SKEW:
        message = f"our clock is {round(skew.total_seconds()):+d} s off the provider's"
        raise ClockSkewed(message, code="clock_skew")
