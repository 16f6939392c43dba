"""Draws how time and memory grow, as an SVG that can be read on light and on dark ground."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.table import Json

WIDTH, HEIGHT = 340, 220
LEFT, TOP, BETWEEN = 56, 40, 86
# Of middling lightness, and told apart by the colour-blind.
COLOURS = {"rclone": "#d97706", "SDK loop": "#8b8b8b", "janitor": "#2b8cde"}
STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #333 }
.grid { stroke: #999; stroke-opacity: .35 }
.title { font-weight: 600 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }"""
PANELS = (
    ("list", "wall", "Listing: seconds"),
    ("list", "memory", "Listing: MiB at most"),
    ("clean", "wall", "Cleaning, our full chain: seconds"),
    ("clean", "memory", "Cleaning: MiB at most"),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis from `low` to `high`, on `length` pixels."""

    low: float
    high: float
    length: float

    def at(self, value: float) -> float:
        """Give the place of a value."""
        share = math.log10(value / self.low) / math.log10(self.high / self.low)
        return round(share * self.length, 1)

    def ticks(self) -> Sequence[float]:
        """Give the powers of ten on it."""
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]


def drawn(grown: Mapping[str, Sequence[Json]]) -> str:
    """Draw everything."""
    whole_width = 2 * (LEFT + WIDTH) + 60
    whole_height = 2 * (HEIGHT + BETWEEN) + TOP
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole_width} {whole_height}"'
        ' role="img" aria-label="Time and memory as the work grows">'
    )
    parts = [opening, f"<style>{STYLE}</style>"]
    for number, (job, what, title) in enumerate(PANELS):
        points = [point for point in grown.get(job, ()) if point.get(what)]
        if not points:
            continue
        x = LEFT + number % 2 * (WIDTH + LEFT + 20)
        y = TOP + number // 2 * (HEIGHT + BETWEEN)
        parts.append(f'<g transform="translate({x} {y})">{_panel(points, what, title)}</g>')
    parts.append(_legend(whole_height))
    return "\n".join([*parts, "</svg>", ""])


def _panel(points: Sequence[Json], what: str, title: str) -> str:
    across = _axis([point["size"] for point in points], WIDTH)
    up = _axis([point[what] for point in points], HEIGHT)
    parts = [f'<text class="title" x="0" y="-12">{escape(title)}</text>']
    for tick in across.ticks():
        x = across.at(tick)
        parts.append(f'<path class="grid" d="M{x} 0V{HEIGHT}"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT + 18}" text-anchor="middle">{tick:,.0f}</text>')
    for tick in up.ticks():
        y = round(HEIGHT - up.at(tick), 1)
        parts.append(f'<path class="grid" d="M0 {y}H{WIDTH}"/>')
        parts.append(f'<text x="-8" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    for name, colour in COLOURS.items():
        mine = [point for point in points if point["name"] == name]
        places = [(across.at(p["size"]), round(HEIGHT - up.at(p[what]), 1)) for p in mine]
        line = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in places]
    return "".join(parts)


def _axis(values: Sequence[float], length: float) -> Axis:
    low = 10.0 ** math.floor(math.log10(min(values)))
    high = 10.0 ** math.ceil(math.log10(max(values)))
    return Axis(low, high if high > low else low * 10, length)


def _legend(height: float) -> str:
    parts = []
    for number, (name, colour) in enumerate(COLOURS.items()):
        x, y = LEFT + 110 * number, height - 14
        parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{x + 10}" y="{y + 4}">{escape(name)}</text>')
    return "".join(parts)
