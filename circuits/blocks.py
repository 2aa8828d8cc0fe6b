"""Building block of larger circuits: a circular autoencoder around one layer.

A block leads from a population, its source, through its encoder to its hinge, and through its decoder back to the
source's site. Two more populations there are compartments of the source's neurons: `image` receives the reconstruction;
`inner` fires like the source in cycle 0 and like the image in cycle 1. A source clamped to the data takes the image
over by itself and needs no `inner`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import Own, Transposed
from circuitsim.circuits.choices import require_choice
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
    """

    label: str
    source: Population
    hinge: Population
    encoder: Projection
    decoder: Projection
    image: Population
    inner: str
    period: int = 1

    @property
    def groups(self) -> tuple[str, str]:
        """Groups of its rules."""
        return f"encoder {self.label}", f"decoder {self.label}"


def recirculates(rule: str) -> bool:
    """Tell if blocks with this rule send activity around a second time; refuse an unknown rule."""
    require_choice("rule", "a block", rule, RULES)
    return rule in RECIRCULATING


def block_parts(block: Block, rule: str = "rec", delay: int = 1) -> Parts:
    """Return the parts that a block adds to a circuit with its source and its hinge.

    Parameters
    ----------
    rule : rec, rec-symmetric; or for comparison bp, rbp, whose feedback neurons and synapses carry the error of the
        image to the hinge.
    delay : of the feedback synapses, ticks.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, eqs. 3 and 4, section 6.2.
    """
    found = Parts((block.image,), (block.encoder, block.decoder))
    if block.inner != block.source.name:
        inner = Population(block.inner, block.source.size, site=block.source.site, mixes=recirculates(rule))
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
    above = Population(f"hinge{block.label}_error", block.hinge.size, site=block.hinge.site, feedback=True)
    below = Population(f"{block.image.name}_error", block.source.size, site=block.source.site, feedback=True)
    weights = Transposed(block.decoder.name) if rule == "bp" else Own()
    return Parts(
        (below, above),
        (Projection(f"R{block.label}", below.name, above.name, delay, weights=weights),),
        (
            Exchange(block.source.name, below.name, Carries.TARGET),
            Exchange(block.image.name, below.name, Carries.ACTUAL),
            Exchange(block.hinge.name, above.name, Carries.SLOPE),
        ),
        (
            Plasticity(block.encoder.name, delta, post=above.name, group=up),
            Plasticity(block.decoder.name, delta, post=below.name, group=down),
        ),
    )
