"""Hybrid logical clock: wall time that never runs backwards and respects cause and effect.

A timestamp is one 64-bit integer, `milliseconds << 16 | logical`, so that integer order is time
order. Laws: `tick(last, now) > last`; `observe(last, remote, now)` exceeds both `last` and
`remote`; both stay within one logical step of the largest physical time seen (Kulkarni et al.,
Logical Physical Clocks, 2014).
"""

LOGICAL_BITS = 16


def pack(ms: int, logical: int = 0) -> int:
    """Return the timestamp of `ms` milliseconds since 1970 and a logical step below 65536."""
    return (ms << LOGICAL_BITS) | logical


def physical_ms(hlc: int) -> int:
    """Return the milliseconds since 1970 that a timestamp carries."""
    return hlc >> LOGICAL_BITS


def tick(last: int, now_ms: int) -> int:
    """Return the timestamp of a local change: above `last`, at `now_ms` where that is later."""
    return max(pack(now_ms), last + 1)


def observe(last: int, remote: int, now_ms: int) -> int:
    """Return the clock after a remote timestamp was seen: above `last` and above `remote`."""
    return max(pack(now_ms), last + 1, remote + 1)


def drift_ms(remote: int, now_ms: int) -> int:
    """Return how many milliseconds a remote timestamp is ahead of us; negative when behind."""
    return physical_ms(remote) - now_ms
