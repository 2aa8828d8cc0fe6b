"""Neurons and synapses of a training step, as its user declares them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim.errors import StepError

End = str | Sequence[str] | None


@dataclass(frozen=True)
class Wire:
    """Synapses of one weight array: from the neurons of `pre` (None: a bias) to those of `post`."""

    name: str
    pre: str | None
    post: str

    def ends_at(self, site: str) -> bool:
        """Return whether one of its two ends is there."""
        return site in (self.pre, self.post)


@dataclass(frozen=True)
class Wiring:
    """All wires, the number of neurons at each site, and the site of each batch entry.

    A site is a population, named by the first of its activities. Several activities of the same neurons (a forward
    activity and an error) are one site.
    """

    wires: tuple[Wire, ...]
    sizes: Mapping[str, int]
    inputs: Mapping[str, str]
    labels: Mapping[str, str]
    assumed: bool
    places: Mapping[str, str]  # the site of each activity

    def into(self, site: str) -> tuple[Wire, ...]:
        """Return the wires, biases included, that end at the site."""
        return tuple(wire for wire in self.wires if wire.post == site)

    def out_of(self, site: str) -> tuple[Wire, ...]:
        """Return the wires that start at the site."""
        return tuple(wire for wire in self.wires if wire.pre == site)

    def wire(self, name: str) -> Wire:
        """Return the wire of a weight array."""
        return next(wire for wire in self.wires if wire.name == name)

    @property
    def order(self) -> list[str]:
        """The sites by their distance from the inputs, in wires."""
        far = distances(self.wires, self.inputs.values())
        return sorted(self.sizes, key=lambda site: far.get(site, len(self.sizes)))


def make_wiring(
    wiring: Mapping[str, tuple[End, End]],
    labels: Mapping[str, str] | None,
    weights: Mapping[str, np.ndarray],
    batch: Mapping[str, np.ndarray],
) -> Wiring:
    """Check a declared wiring against weights and batch; weights are (post, pre) or, for biases, (post,).

    Raises
    ------
    StepError : for a missing or unknown name, a shape that does not fit, or a batch entry without a place.
    """
    if set(wiring) != set(weights):
        raise StepError(
            "wiring",
            got=f"the names {_listed(wiring)}",
            expected=f"one entry for each weight array: {_listed(weights)}",
            remedy='Give each array its (pre, post), for example {"W1": ("x", "h")}; a bias has (None, post).',
        )
    names = _sites([end for name, ends in wiring.items() for end in _ends(name, ends)], labels or {})
    wires = tuple(_wire(name, ends, names) for name, ends in wiring.items())
    sizes: dict[str, int] = {}
    for wire in wires:
        _measure(wire, weights[wire.name], sizes)
    inputs = {key: names[key] for key in batch if key in names and key not in (labels or {})}
    for key, site in inputs.items():
        shape = batch[key].shape[1:]
        over_time = len(shape) > 1 and shape[-1] == sizes.get(site)
        _fits(f"batch {key!r}", shape[-1] if over_time else int(np.prod(shape)), sizes, site)
    rest = [key for key in batch if key not in inputs]
    far = distances(wires, inputs.values())
    outputs = [site for site in sizes if far.get(site, 0) == max(far.values(), default=0) > 0]
    placed = {key: names.get(site, site) for key, site in (labels or {}).items()}
    for key in [] if labels is not None or len(outputs) != 1 else rest:
        placed[key] = outputs[0]
    if set(placed) != set(rest) or not set(placed.values()) <= set(sizes) or not inputs:
        raise StepError(
            "batch",
            got=f"the names {_listed(batch)}, of which the wiring has {_listed(inputs) or 'none'}",
            expected="input neurons that the wiring names, and a place for each other entry",
            remedy='Name the place of each label, for example labels={"t": "y"}; the wiring names the input neurons.',
        )
    return Wiring(wires, sizes, inputs, placed, assumed=labels is None and bool(rest), places=names)


def distances(wires: Iterable[Wire], starts: Iterable[str]) -> dict[str, int]:
    """Return the number of wires from the starts to each site that they reach."""
    far = dict.fromkeys(starts, 0)
    for step in range(1, len(tuple(wires)) + 2):
        for wire in wires:
            if wire.pre in far and far[wire.pre] == step - 1:
                far.setdefault(wire.post, step)
    return far


def _ends(name: str, ends: object) -> list[list[str]]:
    """Return the activities at both ends of an entry of the wiring."""
    if isinstance(ends, tuple | list) and len(ends) == 2:
        pre, post = (() if end is None else (end,) if isinstance(end, str) else end for end in ends)
        if (
            all(isinstance(end, tuple | list) and all(isinstance(one, str) for one in end) for end in (pre, post))
            and post
        ):
            return [list(pre), list(post)]
    raise StepError(
        f"wiring of {name}",
        got=repr(ends),
        expected="a pair (pre, post) of names; each may be a tuple of activities of the same neurons",
        remedy='Write for example ("x", "h"), or ("x", ("h", "delta_h")); a bias has (None, "h").',
    )


def _sites(ends: list[list[str]], labels: Mapping[str, str]) -> dict[str, str]:
    """Return the site of each activity: activities named together, and a label and its place, are at one site."""
    known = {name for end in ends for name in end}
    names: dict[str, str] = {}
    for end in (*filter(None, ends), *([site, label] for label, site in labels.items() if {site, label} <= known)):
        old = [names[name] for name in end if name in names]
        site = old[0] if old else end[0]
        names.update({name: site for name in names if names[name] in old})
        names.update(dict.fromkeys(end, site))
    return names


def _wire(name: str, ends: tuple[End, End], names: Mapping[str, str]) -> Wire:
    pre, post = _ends(name, ends)
    return Wire(name, names[pre[0]] if pre else None, names[post[0]])


def _measure(wire: Wire, weight: np.ndarray, sizes: dict[str, int]) -> None:
    if weight.ndim != (1 if wire.pre is None else 2):
        raise StepError(
            f"weights {wire.name!r}",
            got=f"shape {weight.shape}",
            expected="a vector (post,) for a bias, a matrix of synapses otherwise",
            remedy="Give a bias the wiring (None, post); audit a convolution as a matrix with one entry a synapse.",
        )
    _fits(f"weights {wire.name!r}", weight.shape[0], sizes, wire.post)
    if wire.pre is not None:
        _fits(f"weights {wire.name!r}", weight.shape[1], sizes, wire.pre)


def _fits(what: str, size: int, sizes: dict[str, int], site: str) -> None:
    if sizes.setdefault(site, size) != size:
        raise StepError(
            what,
            got=f"{size} neurons of {site!r}",
            expected=f"{sizes[site]}, as in the arrays before it",
            remedy="Check pre and post in the wiring; for arrays (pre, post) give pre_axis=0.",
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
