"""The picture of docs/gossip.md, as SVG that follows the colours of its reader."""

import math

WIDTH, HEIGHT, MARGIN = 640, 320, 48


def chart(points):
    """Return a chart of (nodes, rounds) beside log2 of the nodes."""
    most_nodes = max(nodes for nodes, _ in points)
    top = max(*(rounds for _, rounds in points), math.ceil(math.log2(most_nodes))) + 1

    def place(nodes, rounds):
        x = MARGIN + (WIDTH - 2 * MARGIN) * math.log10(nodes / 10) / math.log10(most_nodes / 10)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * rounds / top
        return f"{x:.1f},{y:.1f}"

    measured = " ".join(place(nodes, rounds) for nodes, rounds in points)
    expected = " ".join(place(nodes, math.log2(nodes)) for nodes, _ in points)
    marks = "".join(_mark(place(nodes, rounds)) for nodes, rounds in points)
    names = "".join(_name(place(nodes, 0), nodes) for nodes, _ in points)
    levels = "".join(_level(place(10, level), level) for level in range(0, top + 1, 2))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"
     aria-label="Rounds until all nodes know of one that joins">
  <style>
    text {{ font: 13px system-ui, sans-serif; fill: #57606a }}
    .grid {{ stroke: #8c959f; stroke-opacity: 0.3 }}
    .measured {{ fill: none; stroke: #0969da; stroke-width: 2 }}
    .expected {{ fill: none; stroke: #8c959f; stroke-width: 2; stroke-dasharray: 5 4 }}
    circle {{ fill: #0969da }}
    @media (prefers-color-scheme: dark) {{ text {{ fill: #adbac7 }} }}
  </style>
  {levels}{names}
  <polyline class="expected" points="{expected}"/>
  <polyline class="measured" points="{measured}"/>
  {marks}
  <text x="{MARGIN}" y="24">Rounds until all know (line) and log2 of the nodes (dashes)</text>
  <text x="{WIDTH - MARGIN}" y="{HEIGHT - 8}" text-anchor="end">nodes</text>
</svg>
"""


def _mark(point):
    x, y = point.split(",")
    return f'<circle cx="{x}" cy="{y}" r="4"/>'


def _name(point, nodes):
    x, y = point.split(",")
    return f'<text x="{x}" y="{float(y) + 20:.1f}" text-anchor="middle">{nodes}</text>'


def _level(point, level):
    y = point.split(",")[1]
    line = f'<line class="grid" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y}" y2="{y}"/>'
    return f'{line}<text x="{MARGIN - 10}" y="{float(y) + 4:.1f}" text-anchor="end">{level}</text>'
