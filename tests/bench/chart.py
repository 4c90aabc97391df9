"""Measure how time and memory grow with a set, and write `docs/growth.svg` and the table of
`docs/performance.md`.

python tests/bench/chart.py            (minutes)
"""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
SIZES = {
    "score": ("faces", (10_000, 100_000, 300_000, 1_000_000)),
    "cache": ("faces", (500, 1_000, 2_000, 4_000)),
    "pages": ("runs", (300, 1_000, 3_000)),
}
TITLES = {
    "score": "scoring, all metrics and groups",
    "cache": "caching, 300-px JPEG",
    "pages": "rendering pages",
}
BEGIN, END = "<!-- growth -->", "<!-- /growth -->"
WIDTH, HEIGHT, GAP = 240, 170, 60

Found = dict[str, list[tuple[int, float, float]]]  # what → (size, seconds, MB)


def main() -> None:
    found = {what: [measure(what, size) for size in sizes] for what, (_, sizes) in SIZES.items()}
    (DOCS / "growth.svg").write_text(svg(found), encoding="utf-8")
    page = DOCS / "performance.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}", encoding="utf-8")


def measure(what: str, size: int) -> tuple[int, float, float]:
    """Return size, seconds and MB beyond the inputs: the fastest of two, since a busy machine
    only adds."""
    runs = []
    for _ in range(2):
        command = [sys.executable, str(HERE / "growth.py"), what, str(size)]
        runs.append(
            json.loads(
                subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            )
        )
    best = min(runs, key=lambda run: run["seconds"])
    print(f"{what} {size:,}: {best['seconds']:.2f} s, {best['mb']:,.0f} MB", file=sys.stderr)
    return size, best["seconds"], best["mb"]


def table(found: Found) -> str:
    """Lay the figures out as Markdown."""
    lines = [
        "| what | size | seconds | per second | MB beyond the inputs |",
        "|---|--:|--:|--:|--:|",
    ]
    for what, rows in found.items():
        unit = SIZES[what][0]
        for size, seconds, mb in rows:
            lines.append(
                f"| {TITLES[what]} | {size:,} {unit} | {seconds:.2f} | {size / seconds:,.0f} | {mb:,.0f} |"  # noqa: E501
            )
    return "\n".join(lines)


def svg(found: Found) -> str:
    """Draw seconds against size, one panel each, from zero: a straight line through the origin is
    linear growth."""
    wide, high = len(found) * (WIDTH + GAP) + GAP, HEIGHT + 90
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12">',  # noqa: E501
        "<title>Seconds against size</title>",
        f'<rect width="{wide}" height="{high}" fill="#fff"/>',
    ]
    for place, (what, rows) in enumerate(found.items()):
        left, top = GAP + place * (WIDTH + GAP), 40
        most, longest = rows[-1][0], max(seconds for _, seconds, _ in rows)
        at = [
            (left + WIDTH * n / most, top + HEIGHT * (1 - s / longest))
            for n, s, _ in [(0, 0.0, 0), *rows]
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts += [
            f'<text x="{left}" y="{top - 16}" font-weight="bold">{TITLES[what]}</text>',
            f'<path d="M{left} {top}V{top + HEIGHT}H{left + WIDTH}" fill="none" stroke="#888"/>',
            f'<text x="{left - 6}" y="{top + 4}" text-anchor="end">{longest:.1f} s</text>',
            f'<text x="{left - 6}" y="{top + HEIGHT}" text-anchor="end">0</text>',
            f'<text x="{left + WIDTH}" y="{top + HEIGHT + 18}" text-anchor="end">{most:,} {SIZES[what][0]}</text>',  # noqa: E501
            f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="2"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#1f5fa8"/>' for x, y in at[1:]),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
