"""Sizes, rates and durations as people read them."""

_SIZE_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def format_bytes(size_bytes: float) -> str:
    """Return a size such as `512 B`, `4.0 KiB` or `1.5 GiB`."""
    size = float(size_bytes)
    for unit in _SIZE_STEPS[:-1]:
        if abs(size) < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_SIZE_STEPS[-1]}"


def format_rate(bytes_per_second: float) -> str:
    """Return a rate such as `1.2 MiB/s`."""
    return f"{format_bytes(bytes_per_second)}/s"


def format_duration(seconds: float) -> str:
    """Return a span such as `40 ms`, `3.2 s`, `12 min`, `5 h 10 min` or `3 days`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    return f"{seconds / 86_400:.0f} days"
