"""Draws a simulated day as an SVG file of its own: how many people wait at each minute, under each plan. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from html import escape

from scheduling.simulation import QUEUE_FROM, Outcome

WIDTH, HEIGHT = 960, 420
LEFT, TOP, RIGHT, BOTTOM = 56, 94, 24, 48
IN_A_ROW = 3
LOOKS = (("#9a3412", "8 4"), ("#1d4ed8", "2 3"), ("#0f766e", "10 3 2 3"), ("#6d28d9", "2 6"), ("#111827", ""))
"""Colour and dashes: no two lines differ by colour alone."""


def day_drawing(outcomes: Sequence[Outcome], opens: time | None) -> str:
    """The drawing as text. The axis is the place's clock where it is known, else minutes since the opening."""
    day = outcomes[0].day
    closes = int(day[-1].closes)
    minutes = len(outcomes[0].queue) - 1
    highest = _round_up(max(max(each.queue) for each in outcomes))

    def x(minute: float) -> float:
        return round(LEFT + (minute + QUEUE_FROM) / minutes * (WIDTH - LEFT - RIGHT), 1)

    def y(people: float) -> float:
        return round(TOP + (1 - people / highest) * (HEIGHT - TOP - BOTTOM), 1)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="16">',
        "<title>People waiting at each minute, on average</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *(
            f'<rect x="{x(each.begins)}" y="{TOP}" width="{round(x(each.closes) - x(each.begins), 1)}" '
            f'height="{HEIGHT - TOP - BOTTOM}" fill="#f3f4f6"/>'
            for each in day
        ),
    ]
    for step in range(5):
        people = highest * step / 4
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(people)}" y2="{y(people)}" stroke="#d1d5db"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{y(people) + 5}" text-anchor="end" fill="#374151">{people:g}</text>')
    every = next(step for step in (30, 60, 120, 240, 480) if closes / step <= 8)
    for minute in range(0, closes + 1, every):
        drawn.append(f'<text x="{x(minute)}" y="{HEIGHT - 20}" text-anchor="middle" fill="#374151">')
        drawn.append(f"{_clock(opens, minute)}</text>")
    for number, (each, (colour, dashes)) in enumerate(zip(outcomes, LOOKS, strict=False)):
        line = " ".join(f"{x(minute - QUEUE_FROM)},{y(people)}" for minute, people in enumerate(each.queue))
        look = f'fill="none" stroke="{colour}" stroke-width="2.5"' + (f' stroke-dasharray="{dashes}"' if dashes else "")
        at, down = LEFT + number % IN_A_ROW * (WIDTH - LEFT - RIGHT) / IN_A_ROW, number // IN_A_ROW * 24
        drawn.append(f'<polyline points="{line}" {look}/>')
        drawn.append(f'<line x1="{at:.0f}" x2="{at + 36:.0f}" y1="{46 + down}" y2="{46 + down}" {look}/>')
        drawn.append(
            f'<text x="{at + 44:.0f}" y="{51 + down}" fill="{colour}">{escape(each.name)}: {each.mean:.1f} min</text>'
        )
    drawn.append(
        f'<text x="{LEFT}" y="22" fill="#111827">People waiting, on average over {outcomes[0].mornings:,} days; '
        "behind it the hours in which it is open; beside each plan its mean wait</text>"
    )
    return "\n".join([*drawn, "</svg>", ""])


def _round_up(people: float) -> float:
    """The top of the axis: a number whose quarters are easy to read."""
    tops = (1, 2, 4, 8, 12, 20, 40, 60, 80, 100, 120, 160, 200, 300, 400, 600, 800, 1000, 2000, 5000)
    return next(top for top in tops if people <= top)


def _clock(opens: time | None, minute: int) -> str:
    if opens is None:
        return f"{minute} min"
    return f"{datetime.combine(date(2000, 1, 1), opens) + timedelta(minutes=minute):%H:%M}"
