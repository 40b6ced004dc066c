"""How much goes to each destination at once, as this process has learnt it."""

import threading

from django.conf import settings

from replication.core.ramp import RampLimits, Window, after_batch, after_busy, recovering
from replication.link_rows import LinkKey
from rs3gw.common import clock

_windows: dict[LinkKey, Window] = {}
_lock = threading.Lock()


def limits() -> RampLimits:
    """Return how windows move, as the settings say."""
    return RampLimits(interval_seconds=settings.RS3GW_RECOVERY_INTERVAL_SECONDS)


def window(key: LinkKey) -> Window:
    """Return what share of a full batch a destination gets."""
    return _windows.get(key, Window())


def begin_trial(key: LinkKey) -> None:
    """Send next to nothing: nobody knows yet whether the destination is back."""
    with _lock:
        _windows[key] = Window(share=limits().floor_share, moved_at=clock.monotonic())


def came_back(key: LinkKey) -> None:
    """Begin small with a destination that has come back."""
    with _lock:
        _windows[key] = recovering(now=clock.monotonic(), limits=limits())


def took(key: LinkKey, seconds: float) -> None:
    """Take in that a destination took a batch, and how long that was."""
    with _lock:
        known = _windows.get(key)
        if known is None:
            return
        now = clock.monotonic()
        grown = after_batch(known, took_seconds=seconds, now=now, limits=limits())
        if grown.is_full:
            del _windows[key]
        else:
            _windows[key] = grown


def was_busy(key: LinkKey) -> None:
    """Take in that a destination has too much to do."""
    with _lock:
        known = _windows.get(key, Window())
        _windows[key] = after_busy(known, now=clock.monotonic(), limits=limits())


def forget() -> None:
    """Forget what was learnt; for tests."""
    with _lock:
        _windows.clear()
