"""Building block of larger circuits: a circular autoencoder around one layer.

A block leads from a population, its source, through its encoder to its hinge, and through its decoder back to the
source's site. Two more populations there are compartments of the source's neurons: `image` receives the reconstruction;
`inner` fires like the source in cycle 0 and like the image in cycle 1. A source clamped to the data takes the image
over by itself and needs no `inner`. Pools above the hinge belong to the block (`circuits/pools.py`): activity passes
through them, and back to the hinge's site, before it reaches the decoder.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Activates, Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import Own, Transposed
from circuitsim.circuits.choices import require_choice
from circuitsim.circuits.pools import Pooled, errors_through
from circuitsim.circuits.ranges import warn_of_range
from circuitsim.rules import delta, recirculation, recirculation_symmetric, recirculation_symmetric_bias

RULES = ("rec", "rec-symmetric", "bp", "rbp")
RECIRCULATING = ("rec", "rec-symmetric")
TOP, TUNING, TOP_FEEDBACK = "top", "tuning", "top feedback"  # groups of rules beside those of blocks


@dataclass(frozen=True)
class Parts:
    """Populations, projections, exchanges and rules of a part of a circuit."""

    populations: tuple[Population, ...] = ()
    projections: tuple[Projection, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    plasticity: tuple[Plasticity, ...] = ()

    def __add__(self, other: Parts) -> Parts:
        return Parts(
            self.populations + other.populations,
            self.projections + other.projections,
            self.exchanges + other.exchanges,
            self.plasticity + other.plasticity,
        )

    def circuit(self, name: str, **options: Any) -> Circuit:
        """Build a circuit of these parts; `options` are further fields of `Circuit`."""
        parts: dict[str, Any] = {"exchanges": self.exchanges, "plasticity": self.plasticity}
        return Circuit(name, self.populations, self.projections, **parts, **options)


def join_parts(parts: Iterable[Parts]) -> Parts:
    """Concatenate parts in order."""
    return sum(parts, Parts())


@dataclass(frozen=True)
class Block:
    """One circular autoencoder.

    Parameters
    ----------
    label : of its groups of rules, "encoder {label}" and "decoder {label}".
    source, hinge : populations of the enclosing circuit.
    encoder : the projection up, from `inner`. decoder : the projection down, to `image`.
    image : receives the reconstruction, at the source's site.
    inner : name of the population that drives the encoder: one of its own, or the source.
    period : cycles after which the source fires again, in a slower loop; 1: it is in none.
    pools : above the hinge, from the bottom; the decoder starts where the lowest is undone.
    fires : function whose values the source fires; "": its own activation; for the input, unknown values.
    """

    label: str
    source: Population
    hinge: Population
    encoder: Projection
    decoder: Projection
    image: Population
    inner: str
    period: int = 1
    pools: tuple[Pooled, ...] = ()
    fires: Activates = ""

    @property
    def groups(self) -> tuple[str, str]:
        """Groups of its rules."""
        return f"encoder {self.label}", f"decoder {self.label}"


def recirculates(rule: str) -> bool:
    """Tell if blocks with this rule send activity around a second time; refuse an unknown rule."""
    require_choice("rule", "a block", rule, RULES)
    return rule in RECIRCULATING


def block_parts(block: Block, rule: str = "rec", delay: int = 1) -> Parts:
    """Return the parts that a block adds to a circuit with its source, its hinge and its pools.

    Parameters
    ----------
    rule : rec, rec-symmetric; or for comparison bp, rbp, whose feedback neurons and synapses carry the error of the
        image to the hinge.
    delay : of the feedback synapses, ticks.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, eqs. 3 and 4, section 6.2.
    """
    warn_of_range(block.label, block.image, block.fires or block.source.activation)
    undone = tuple(reversed(block.pools))
    found = Parts((*(p.undone for p in undone), block.image), (block.encoder, *(p.back for p in undone), block.decoder))
    if block.inner != block.source.name:
        source = block.source
        inner = Population(block.inner, source.size, site=source.site, mixes=recirculates(rule), shape=source.shape)
        taken = Exchange(block.source.name, block.inner, Carries.INPUT, period=block.period)
        found = Parts((inner,), exchanges=(taken,)) + found
    return found + (_recirculating(block, rule) if recirculates(rule) else _error_driven(block, rule, delay))


def _recirculating(block: Block, rule: str) -> Parts:
    up, down = block.groups
    encoding = Plasticity(block.encoder.name, recirculation, group=up)
    if rule == "rec-symmetric":
        encoding = Plasticity(block.encoder.name, recirculation_symmetric, recirculation_symmetric_bias, group=up)
    decoding = Plasticity(block.decoder.name, recirculation, post=block.inner, group=down)
    closing = Exchange(block.image.name, block.inner, Carries.OUTPUT)
    return Parts(exchanges=(closing,), plasticity=(encoding, decoding))


def _error_driven(block: Block, rule: str, delay: int) -> Parts:
    """Add feedback neurons at the image and at the hinge, and the synapses between them."""
    up, down = block.groups
    above = feedback_beside(block.hinge, f"hinge{block.label}_error")
    below = feedback_beside(block.source, f"{block.image.name}_error")
    weights = Transposed(block.decoder.name) if rule == "bp" else Own()
    neurons, carriers = errors_through(block.pools, above.name, delay)
    arrives = f"{block.pools[0].undone.name}_error" if block.pools else above.name
    connectivity = block.decoder.connectivity.transposed()
    return Parts(
        (below, above, *neurons),
        (
            Projection(f"R{block.label}", below.name, arrives, delay, weights=weights, connectivity=connectivity),
            *carriers,
        ),
        (
            Exchange(block.source.name, below.name, Carries.TARGET),
            Exchange(block.image.name, below.name, Carries.ACTUAL),
            Exchange(block.hinge.name, above.name, Carries.SLOPE),
            *(Exchange(p.name.removesuffix("_error"), p.name, Carries.SLOPE) for p in neurons),
        ),
        (
            Plasticity(block.encoder.name, delta, post=above.name, group=up),
            Plasticity(block.decoder.name, delta, post=below.name, group=down),
        ),
    )


def feedback_beside(p: Population, name: str) -> Population:
    """Return feedback neurons at a population's site."""
    return Population(name, p.size, site=p.site, feedback=True, shape=p.shape)
