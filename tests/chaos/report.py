"""Tables of what was measured, and their place in the documentation."""

import statistics
from itertools import groupby


def _span(values, unit=" s"):
    known = sorted(value for value in values if value is not None)
    if not known:
        return "-"
    if len(known) == 1:
        return f"{known[0]:.1f}{unit}"
    return f"{statistics.median(known):.1f} ({known[0]:.1f} to {known[-1]:.1f}){unit}"


def table(figures):
    """Return a Markdown table: a line for each scenario and mode."""
    lines = [
        "| Scenario | Mode | Operations | Noticed after | Writes stood still | Same again after |",
        "|---|---|---|---|---|---|",
    ]
    ordered = sorted(figures, key=lambda f: (f.scenario, f.mode))
    for (scenario, mode), group in groupby(ordered, key=lambda f: (f.scenario, f.mode)):
        found = list(group)
        cells = [
            scenario.replace("-", " "),
            mode,
            str(sum(f.operations for f in found)),
            _span(f.detection_seconds for f in found),
            _span(f.gap_seconds for f in found),
            _span(f.convergence_seconds for f in found),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_table(page, name, text):
    """Replace what stands between the markers of a name on a page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    assert after, f"{page} lacks the markers of {name}"
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
