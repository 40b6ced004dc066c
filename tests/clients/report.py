"""The results as lines, as a table for a terminal, and as a document."""

import datetime
from pathlib import Path

from tests.clients.step_names import STEP_NAMES

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name("page.md")


def _one_line(text, limit=160):
    return " ".join(text.replace(f"{ROOT}/", "").split()).replace("|", "/")[:limit]


def _outcome(result, step):
    return result.steps.get(step, ("not run", ""))[0]


def line(result):
    """Return what is printed when a client is done: its outcomes, and why any is not a pass."""
    counts = [_outcome(result, step) for step in STEP_NAMES]
    summary = ", ".join(
        f"{counts.count(word)} {word}"
        for word in ("pass", "fail", "cannot do", "not run")
        if word in counts
    )
    lines = [f"{result.transport} {result.name} {result.version}: {summary} {result.seconds:.0f} s"]
    lines += [f"    {_one_line(text, 600)}" for text in (result.error, result.remark) if text]
    for step, (outcome, detail) in result.steps.items():
        if detail:
            lines.append(
                f"    {step}: {outcome}: {_one_line(detail, 900 if outcome == 'fail' else 160)}"
            )
    return "\n".join(lines)


def _grid(results):
    rows = [["client", "version", "over", *STEP_NAMES]]
    for result in results:
        outcomes = [_outcome(result, step) for step in STEP_NAMES]
        rows.append([result.name, result.version or "-", result.transport, *outcomes])
    return rows


def table(results):
    """Return the table in columns."""
    rows = _grid(results)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _joined(results, name, step):
    """Return one word when all transports agree, each one's own otherwise."""
    found = {each.transport: _outcome(each, step) for each in results if each.name == name}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return ", ".join(f"{outcome} ({transport})" for transport, outcome in found.items())


def _remarks(results):
    told = {}
    for result in results:
        for text in filter(None, (result.error, result.remark)):
            told.setdefault((result.name, "", _one_line(text)), []).append(result.transport)
        for step, (outcome, detail) in result.steps.items():
            if detail:
                key = (result.name, f"{step}, {outcome}: ", _one_line(detail))
                told.setdefault(key, []).append(result.transport)
    for (name, where, text), transports in told.items():
        over = (
            ""
            if len(transports) == len({each.transport for each in results})
            else (f" ({', '.join(transports)})")
        )
        yield f"- {name}{over}: {where}{text}"


def document(results):
    """Return the whole of docs/s3-clients.md."""
    names = list(dict.fromkeys(each.name for each in results))
    versions = {each.name: each.version or "-" for each in results}
    rows = [
        [name, versions[name], *(_joined(results, name, step) for step in STEP_NAMES)]
        for name in names
    ]
    head = ["Client", "Version", *(step[0].upper() + step[1:] for step in STEP_NAMES)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    transports = ", ".join(dict.fromkeys(each.transport for each in results))
    day = datetime.datetime.now(datetime.UTC).date()
    return PAGE.read_text(encoding="utf-8").format(
        day=day,
        transports=transports,
        results="\n".join(lines),
        remarks="\n".join(_remarks(results)) or "None.",
    )
