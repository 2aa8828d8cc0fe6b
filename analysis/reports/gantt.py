"""Timetable as a chart: time runs right, one row for each population and projection, one colour for each phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from circuitsim import phases
from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.plots import axes_at, drawing, inline
from circuitsim.phases import FIRING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from circuitsim.events import Event
    from circuitsim.timetable.schedule import Schedule

MOST_TICKS, MOST_ROWS, MOST_ARROWS = 48, 60, 250
ROW = 0.3  # inches
SLOTS = {phases.REFRESH: 0, phases.DELIVERY: 0, **dict.fromkeys(FIRING, 1), phases.REPLACEMENT: 2}
SLOTS |= {phases.PLASTICITY: 2, phases.UPDATE: 3, phases.BOUND: 4, phases.RETENTION: 4}
COLOURS = {
    phases.REFRESH: "#8A8A8A",
    phases.DELIVERY: "#C9C9C9",
    phases.FORWARD: "#0072B2",
    phases.BLANK: "#DDDDDD",
    phases.RECIRCULATION: "#E69F00",
    phases.MIRROR: "#56B4E9",
    phases.REPLACEMENT: "#D55E00",
    phases.FEEDBACK: "#F0E442",
    phases.PLASTICITY: "#009E73",
    phases.UPDATE: "#000000",
    phases.BOUND: "#CC79A7",
    phases.RETENTION: "#999933",
}
DARK = (phases.FORWARD, phases.UPDATE, phases.PLASTICITY)


def gantt_figure(schedule: Schedule) -> tuple[Image, str]:
    """Draw the timetable of a presentation; the second value notes what was cut off, or is empty."""
    events = [entry.event for entry in schedule.entries]
    rows = list(dict.fromkeys(phases.subject(schedule.circuit, e) for e in events))
    ticks = min(schedule.length, MOST_TICKS)
    note = _note(schedule, ticks, rows)
    rows = rows[:MOST_ROWS]
    shown = [e for e in events if e.tick < ticks and phases.subject(schedule.circuit, e) in rows]
    names = 0.35 + 0.085 * max((len(name) for name in rows), default=1)
    tick = min(0.95, max(0.2, 8.6 / max(ticks, 1)))
    used = sorted({e.phase for e in shown})
    size = max(names + tick * ticks + 0.15, 4.6), ROW * len(rows) + 0.46 + 0.24 * -(-len(used) // 3)
    with drawing(*size) as figure:
        ax = axes_at(figure, names, size[1] - ROW * len(rows) - 0.05, tick * ticks, ROW * len(rows))
        _grid(ax, rows, ticks, tick)
        place = _places(schedule, shown, rows)
        _arrows(ax, schedule, place)
        for event, (x, y, width) in place.items():
            _bar(ax, event, x, y, width, tick)
        _legend(ax, used)
        alt = f"Timetable of one presentation: {len(events)} events in {schedule.length} ticks"
        return inline(figure, alt), note


def _note(schedule: Schedule, ticks: int, rows: Sequence[str]) -> str:
    cut = []
    if ticks < schedule.length:
        cut.append(f"the first {ticks} of {schedule.length} ticks")
    if len(rows) > MOST_ROWS:
        cut.append(f"the first {MOST_ROWS} of {len(rows)} rows")
    return f"Shown: {' and '.join(cut)}." if cut else ""


def _grid(ax: Axes, rows: Sequence[str], ticks: int, tick: float) -> None:
    ax.set(xlim=(0, ticks), ylim=(len(rows) - 0.5, -0.5))
    for t in range(1, ticks, 2):
        ax.axvspan(t, t + 1, color="#f3f3f3", linewidth=0, zorder=0)
    ax.hlines([r + 0.5 for r in range(len(rows) - 1)], 0, ticks, color="#dcdcdc", linewidth=0.5, zorder=1)
    step = max(1, round(0.42 / tick))
    ax.set_xticks([t + 0.5 for t in range(0, ticks, step)], [str(t) for t in range(0, ticks, step)], fontsize=9)
    ax.set_yticks(range(len(rows)), rows, fontsize=9)
    ax.tick_params(length=0)
    ax.set_xlabel("tick", labelpad=1)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def _places(schedule: Schedule, events: Sequence[Event], rows: Sequence[str]) -> dict[Event, tuple[float, int, float]]:
    """Left edge, row and width of each event; within a tick, earlier phases stand left."""
    slots = sorted({SLOTS[e.phase] for e in events})
    width = 0.92 / max(4, len(slots))
    return {
        e: (e.tick + 0.04 + slots.index(SLOTS[e.phase]) * width, rows.index(phases.subject(schedule.circuit, e)), width)
        for e in events
    }


def _bar(ax: Axes, event: Event, x: float, y: int, width: float, tick: float) -> None:
    ax.barh(y, width * 0.94, left=x, height=0.66, color=COLOURS[event.phase], edgecolor=COLOURS[event.phase],
            linewidth=0.4, zorder=4)  # fmt: skip
    if event.phase < phases.PLASTICITY and width * tick > 0.1:
        colour = "white" if event.phase in DARK else "black"
        ax.text(x + width * 0.47, y + 0.02, str(event.detail), ha="center", va="center", fontsize=7.5, color=colour,
                zorder=6)  # fmt: skip


def _arrows(ax: Axes, schedule: Schedule, place: dict[Event, tuple[float, int, float]]) -> None:
    """Draw arrows from firing to delivery, as long as the delay; dotted arrows for exchanges within a tick."""
    circuit = schedule.circuit
    fired = {(phases.subject(circuit, e), e.detail, e.tick): e for e in place if e.phase in FIRING}
    drawn = 0
    for event, (x, y, _) in place.items():
        if event.phase != phases.DELIVERY or drawn >= MOST_ARROWS:
            continue
        q = circuit.projections[event.which]
        cause = fired.get((q.source, event.detail, event.tick - q.delay))
        if cause:
            left, row, width = place[cause]
            drawn += 1
            ax.annotate("", (x, y), (left + width * 0.94, row), zorder=3,
                        arrowprops={"arrowstyle": "-|>", "color": "#4a4a4a", "linewidth": 0.9, "shrinkA": 0,
                                    "shrinkB": 0, "mutation_scale": 7})  # fmt: skip
    for exchange in circuit.exchanges:
        for (name, cycle, tick), cause in fired.items():
            effects = [fired.get((exchange.target, c, tick)) for c in (cycle, cycle + exchange.period)]
            for effect in effects if name == exchange.source else ():
                if effect and effect != cause:
                    left, row, width = place[cause]
                    x, y, _ = place[effect]
                    ax.annotate("", (x + width * 0.47, y), (left + width * 0.47, row), zorder=3,
                                arrowprops={"arrowstyle": "-|>", "color": "#4a4a4a", "linewidth": 0.9, "shrinkA": 4,
                                            "shrinkB": 6, "linestyle": ":", "mutation_scale": 7})  # fmt: skip


def _legend(ax: Axes, used: Sequence[int]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=COLOURS[p], label=phases.PHASES[p].NAME) for p in used]
    ax.figure.legend(handles=handles, loc="lower left", ncols=3, handlelength=1.2, columnspacing=1.4,
                     borderaxespad=0.1)  # fmt: skip
