"""The building block: a circular autoencoder around one layer of a larger circuit, and what it needs to learn.

A block leads from a population, its source, through its encoder to its hinge, and through its decoder back to the
source's site. Two more populations may be there, as compartments of the source's neurons: `image`, in which the
reconstruction arrives, and `inner`, which fires like the source in cycle 0 and like the image in cycle 1. A source that
is clamped to the data takes the image over by itself and needs no inner one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import Own, Transposed
from circuitsim.errors import CircuitError
from circuitsim.rules import delta, recirculation, recirculation_symmetric, recirculation_symmetric_bias

RULES = ("rec", "rec-symmetric", "bp", "rbp")
RECIRCULATING = ("rec", "rec-symmetric")
TOP, TUNING, TOP_FEEDBACK = "top", "tuning", "top feedback"  # groups of rules beside those of blocks


@dataclass(frozen=True)
class Parts:
    """Parts of a circuit that belong together."""

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


def together(parts: Iterable[Parts]) -> Parts:
    """All of several, in order."""
    return sum(parts, Parts())


@dataclass(frozen=True)
class Block:
    """One circular autoencoder.

    Parameters
    ----------
    label : of its groups of rules, "encoder {label}" and "decoder {label}".
    source, hinge : populations of the circuit that it is built into.
    encoder : the projection that leads up, whose source is `inner`. decoder : the one that leads down, to `image`.
    image : where the reconstruction arrives, at the source's site.
    inner : the name of what feeds the encoder: a population of its own, or the source.
    period : cycles after which the source fires anew, where it is part of a slower loop; 1: it does not.
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
        """The groups of its rules."""
        return f"encoder {self.label}", f"decoder {self.label}"


def recirculates(rule: str) -> bool:
    """Whether blocks with this rule send activity around a second time; CircuitError for an unknown one."""
    if rule not in RULES:
        raise CircuitError(
            "rule of a block", got=repr(rule), expected=f"one of {', '.join(RULES)}", remedy="Choose one of these."
        )
    return rule in RECIRCULATING


def block_parts(block: Block, rule: str = "rec", delay: int = 1) -> Parts:
    """What a block adds to a circuit in which its source and its hinge exist.

    Parameters
    ----------
    rule : rec, rec-symmetric; or for comparison bp, rbp, which have feedback neurons and synapses of their own: these
        carry the error of the image to the hinge.
    delay : of those synapses, ticks.

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
    """Feedback neurons at the image and at the hinge, and the synapses between them."""
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
