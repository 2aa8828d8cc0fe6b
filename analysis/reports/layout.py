"""Layout of a circuit drawing: sites on a ring or in a row, populations within sites, labels along arrows.

Pure geometry in inches, y upwards. A circuit whose output is at its input's site is a ring, drawn clockwise from the
top; any other is a row from left to right. Colocated populations share a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice, product

from circuitsim.analysis.reports.depth import depths
from circuitsim.analysis.reports.page import plural
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Combine, Population, Projection

Sites = dict[str, list[Population]]
TEXT = 0.085  # width of a character
BOX_HEIGHT = 0.52
BESIDE, BELOW = 0.75, 0.5  # between boxes of one site, for the label of their exchange
PAD = 0.13  # between boxes and their frame
ROOM = 0.28  # between frames
LABEL_HEIGHT = 0.2
LABELLED = (
    0.5,
    0.55,
    0.45,
    0.6,
    0.4,
    0.66,
    0.34,
    0.72,
    0.28,
    0.78,
    0.22,
)  # of a label along its arrow
ALONG = tuple(t / 24 for t in range(1, 24))
BENDS = (-0.12, 0.12, -0.25, 0.25, -0.4, 0.4)  # tried in turn if an arrow would cross a box
BESIDE_ARROW = (0.2, -0.2, 0.4, -0.4)  # inches above an arrow for a label that fits nowhere along it
TRIALS = 60  # stretches without overlap that are tried
_SIZES = [1.2**n for n in range(24)]
STRETCHES = sorted(product(_SIZES, _SIZES), key=lambda s: s[0] * s[1] * max(s[0] / s[1], s[1] / s[0]))


@dataclass(frozen=True)
class Box:
    """A rectangle by its centre."""

    x: float
    y: float
    width: float
    height: float

    def moved(self, x: float, y: float) -> Box:
        """Return the rectangle, shifted."""
        return replace(self, x=self.x + x, y=self.y + y)

    def shared(self, other: Box) -> float:
        """Return the area that two rectangles have in common."""
        across = (self.width + other.width) / 2 - abs(self.x - other.x)
        up = (self.height + other.height) / 2 - abs(self.y - other.y)
        return max(0.0, min(across, self.width, other.width)) * max(0.0, min(up, self.height, other.height))

    def meets(self, other: Box, room: float = 0.0) -> bool:
        """Tell if two rectangles come closer than `room`."""
        across = abs(self.x - other.x) < (self.width + other.width) / 2 + room
        return across and abs(self.y - other.y) < (self.height + other.height) / 2 + room


Blocks = dict[str, dict[str, Box]]  # the boxes of each site's populations


@dataclass(frozen=True)
class Arrow:
    """Arrow of a projection: the bend of its arc (`rad` of matplotlib's arc3) and the box of its label."""

    projection: Projection
    bend: float
    label: Box


@dataclass(frozen=True)
class Layout:
    """Boxes of populations, frames of sites that hold several, and arrows."""

    ring: bool
    boxes: dict[str, Box]
    frames: dict[str, Box]
    arrows: tuple[Arrow, ...]

    @property
    def extent(self) -> Box:
        """Rectangle around everything, bends of arrows included."""
        bends = [Box(x, y, 0, 0) for a in self.arrows for x, y in _arc(*ends(self.boxes, a.projection), a.bend, ALONG)]
        return _around([*self.boxes.values(), *self.frames.values(), *(a.label for a in self.arrows), *bends])


def arrange(circuit: Circuit) -> Layout:
    """Find the smallest layout, of those tried, in which no frames and no labels overlap."""
    sites = _sites(circuit)
    ring = circuit.inputs != circuit.outputs and circuit.colocated(circuit.inputs, circuit.outputs)
    candidates = islice(_separated(circuit, sites, _ring if ring else _row), TRIALS)
    best: Layout | None = None
    for blocks, frames in candidates:
        boxes = {name: box for block in blocks.values() for name, box in block.items()}
        arrows, clear = _arrows(circuit, boxes, frames, ring, only_clear=best is not None)
        if clear or best is None:
            shared = {site: frame for site, frame in frames.items() if len(blocks[site]) > 1}
            best = Layout(ring, boxes, shared, tuple(arrows))
        if clear:
            break
    assert best is not None, "sites that are far enough apart do not overlap"
    return best


def ends(boxes: dict[str, Box], q: Projection) -> tuple[Box, Box]:
    """Return the start and end of an arrow: the centres of two boxes, or the upper corners of one."""
    source, target = boxes[q.source], boxes[q.target]
    if q.source == q.target:
        return source.moved(0.25, source.height / 2), target.moved(-0.25, target.height / 2)
    return source, target


def label_of(q: Projection) -> str:
    """Return the label of an arrow."""
    return f"{q.name} · {plural(q.delay, 'tick')}"


def lines_of(circuit: Circuit, p: Population) -> tuple[str, str]:
    """Return the two lines in a population's box: its name; its size or shape, and activation function."""
    combines = "" if p.combine is Combine.SUM else p.combine.value
    role = "input" if p.name == circuit.inputs else "linear" if p.feedback else combines or p.activation
    return p.name, f"{'×'.join(map(str, p.shape))} · {role}"


def _sites(circuit: Circuit) -> Sites:
    """Group colocated populations, sites in the order of their first population's depth."""
    depth = depths(circuit)
    found: dict[str, list[Population]] = {}
    for p in sorted(circuit.populations, key=lambda p: (p.feedback, depth[p.name])):
        found.setdefault(p.site, []).append(p)
    return dict(sorted(found.items(), key=lambda item: min(depth[p.name] for p in item[1])))


def _separated(circuit: Circuit, sites: Sites, place: Callable[..., Blocks]) -> Iterator[tuple[Blocks, dict[str, Box]]]:
    """Yield the boxes and frames of every site for each stretch at which no frames overlap."""
    for width, height in STRETCHES:
        blocks = place(circuit, sites, width, height)
        frames = {site: _around(block.values(), PAD) for site, block in blocks.items()}
        if not any(a.meets(b, ROOM) for a, b in combinations(frames.values(), 2)):
            yield blocks, frames


def _block(circuit: Circuit, members: list[Population], inward: tuple[float, float]) -> dict[str, Box]:
    """Place the boxes of one site around the origin: neurons in a row, deepest first, feedback neurons inward."""
    rows = [[p for p in members[::-1] if not p.feedback], [p for p in members if p.feedback]]
    found: dict[str, Box] = {}
    for index, row in enumerate(rows if rows[0] else rows[1:]):
        widths = [max(map(len, lines_of(circuit, p))) * TEXT + 0.2 for p in row]
        left = -(sum(widths) + BESIDE * (len(row) - 1)) / 2
        for p, width in zip(row, widths, strict=True):
            away = width + BESIDE if inward[0] else BOX_HEIGHT + BELOW
            box = Box(left + width / 2, 0, width, BOX_HEIGHT)
            found[p.name] = box.moved(index * away * inward[0], index * away * inward[1])
            left += width + BESIDE
    return found


def _ring(circuit: Circuit, sites: Sites, width: float, height: float) -> Blocks:
    found: Blocks = {}
    for index, (site, members) in enumerate(sites.items()):
        angle = math.pi / 2 - 2 * math.pi * index / len(sites)
        x, y = math.cos(angle), math.sin(angle)
        inward = (-math.copysign(1, x), 0) if abs(x) > 0.75 else (0, -math.copysign(1, y))
        block = _block(circuit, members, inward)
        centre = (1.2 * width * x, height * y) if len(sites) > 1 else (0, 0)
        found[site] = {name: box.moved(*centre) for name, box in block.items()}
    return found


def _row(circuit: Circuit, sites: Sites, width: float, height: float) -> Blocks:
    depth, taken = depths(circuit), dict[int, int]()
    found: Blocks = {}
    for site, members in sites.items():
        column = max(depth[p.name] for p in members)
        rank = taken[column] = taken.get(column, -1) + 1
        block = _block(circuit, members, (0, -1))
        found[site] = {name: box.moved(1.5 * width * column, -height * rank) for name, box in block.items()}
    return found


def _arrows(
    circuit: Circuit, boxes: dict[str, Box], frames: dict[str, Box], ring: bool, *, only_clear: bool
) -> tuple[list[Arrow], bool]:
    """Bend every arrow and place its label; the second value is True if no label overlaps anything.

    `only_clear`: stop at the first label that overlaps something.
    """
    found: list[Arrow] = []
    clear = True
    depth = depths(circuit)
    for q in circuit.projections:
        source, target = ends(boxes, q)
        others = [box for name, box in boxes.items() if name not in (q.source, q.target)]
        first = _bend(circuit, q, boxes, depth, ring)
        bend = next((b for b in (first, *BENDS) if not _crosses(source, target, b, others)), first)
        obstacles = [*frames.values(), *(a.label for a in found)]
        width = len(label_of(q)) * TEXT * 0.93 + 0.08
        tried = [Box(x, y, width, LABEL_HEIGHT) for x, y in _arc(source, target, bend)]
        free = [box for box in tried if not any(box.meets(o, 0.03) for o in obstacles)]
        clear = clear and bool(free)
        if not clear and only_clear:
            break
        if not free:  # where the label hides least of the names in boxes and of other labels
            beside = [box.moved(0, y) for y in (0.0, *BESIDE_ARROW) for box in tried]
            hidden = [*boxes.values(), *(a.label for a in found), *_exchanged(circuit, boxes)]
            free = [min(beside, key=lambda box: sum(box.shared(o) for o in hidden))]
        found.append(Arrow(q, bend, free[0]))
    return found, clear


def _exchanged(circuit: Circuit, boxes: dict[str, Box]) -> Iterator[Box]:
    """Yield the places of the labels of exchanges, between two boxes."""
    for exchange in circuit.exchanges:
        a, b = boxes[exchange.source], boxes[exchange.target]
        up = 0.1 if abs(a.y - b.y) < 1e-9 else 0.0
        yield Box((a.x + b.x) / 2, (a.y + b.y) / 2 + up, len(exchange.carries.value) * TEXT, LABEL_HEIGHT)


def _bend(circuit: Circuit, q: Projection, boxes: dict[str, Box], depth: dict[str, int], ring: bool) -> float:
    """Choose the bend of an arrow: outward on a ring, straight between neighbours of a row, else around boxes."""
    source, target = boxes[q.source], boxes[q.target]
    feedback = circuit.population(q.target).feedback
    if circuit.colocated(q.source, q.target):
        return 2.2 if q.source == q.target else 1.0
    parallel = [x for x in circuit.projections if {x.source, x.target} == {q.source, q.target}]
    aside = 0.25 * parallel.index(q)
    if ring:
        turn = source.x * target.y - source.y * target.x  # < 0: clockwise about the centre
        few = len({p.site for p in circuit.populations})
        outward = {2: 0.42, 3: 0.25}.get(few, 0.14)
        return aside if feedback else aside + (outward if turn > 0 else -outward)
    far = abs(depth[q.source] - depth[q.target]) > 1
    return aside - (0.3 if far else 0.0)


def _crosses(source: Box, target: Box, bend: float, others: list[Box]) -> bool:
    """Tell if an arrow would cross a box that is neither of its ends."""
    return any(Box(x, y, 0, 0).meets(box) for x, y in _arc(source, target, bend, ALONG) for box in others)


def _arc(source: Box, target: Box, bend: float, along: Sequence[float] = LABELLED) -> Iterator[tuple[float, float]]:
    """Yield points of an arrow, a quadratic curve between the centres of two boxes."""
    dx, dy = target.x - source.x, target.y - source.y
    cx, cy = (source.x + target.x) / 2 + bend * dy, (source.y + target.y) / 2 - bend * dx
    for t in along:
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
        yield a * source.x + b * cx + c * target.x, a * source.y + b * cy + c * target.y


def _around(boxes: Iterable[Box], pad: float = 0.0) -> Box:
    """Return the smallest rectangle around others."""
    every = list(boxes)
    left, right = min(b.x - b.width / 2 for b in every), max(b.x + b.width / 2 for b in every)
    low, high = min(b.y - b.height / 2 for b in every), max(b.y + b.height / 2 for b in every)
    return Box((left + right) / 2, (low + high) / 2, right - left + 2 * pad, high - low + 2 * pad)
