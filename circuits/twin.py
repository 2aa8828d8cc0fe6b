"""Tourbillonization: conversion of a feedforward circuit into a recirculating one (Tourbillon, Algorithm 1).

Each layer that learns becomes a circular autoencoder: its projection is the encoder, a decoder leads back, and both
learn by recirculation. If the output is compared with a target, its projections keep the rule that learns from the
error, and the decoders can pass that error down. Layers that do not learn stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import COMPARED, Activates, Carries, Combine, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import Fixed, Own, Tied, Weights
from circuitsim.circuits.blocks import (
    TOP,
    TUNING,
    Block,
    Parts,
    block_parts,
    feedback_beside,
    join_parts,
    recirculates,
)
from circuitsim.circuits.choices import require_choice
from circuitsim.circuits.pools import POOLS, undo_pools, upsampling
from circuitsim.errors import CircuitError
from circuitsim.rules import delta
from circuitsim.timetable.protocol import Protocol

_MEANS = {TOP: "from the error of the output", TUNING: "from the error passed down"}


@dataclass(frozen=True)
class Twin:
    """Converted circuit and its correspondence with the original.

    circuit, protocol : the converted circuit, and a presentation in which everything learns. original : the
    feedforward circuit. blocks : the circular autoencoders, in the order in which activity reaches them.
    """

    circuit: Circuit
    protocol: Protocol
    original: Circuit
    blocks: tuple[Block, ...]

    def groups(self, *blocks: int) -> tuple[str, ...]:
        """Return the groups of the rules of blocks, counted from 1 in the order in which activity reaches them."""
        return tuple(group for b in blocks for group in self.blocks[b - 1].groups)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return the correspondence, a row for each projection of the original that carries activity.

        Returns
        -------
        Rows (part of the original, part of the twin, rules, carrier of the error below it in fine-tuning).
        """
        blocks = {block.encoder.name: block for block in self.blocks}
        names = {q.name: q for q in self.circuit.projections}
        found = []
        for q in _forward(self.original):
            groups = [p.group for p in self.circuit.plasticity if p.projection == q.name]
            learns = [_MEANS.get(group, "by recirculation") for group in groups] or ["not"]
            way = "supervised layer" if groups else "passed through"
            if block := blocks.get(q.name):
                passed = "".join(f"{p.pool.name} -> " for p in block.pools) + "back -> " * bool(block.pools)
                way = f"circular autoencoder: {block.inner} -{q.name}-> {q.target} "
                way += f"-> {passed}-{block.decoder.name}-> " if passed else f"-{block.decoder.name}-> "
                way += block.image.name
            carrier = names.get(_channel_name(q.name))
            means = (
                "nothing"
                if carrier is None
                else carrier.tensor_owner + " (random)" * (carrier.has_tensor and not carrier.constant)
            )
            found.append((f"{q.name}: {q.source} -> {q.target}", way, ", ".join(dict.fromkeys(learns)), means))
        return found

    def explain(self) -> str:
        """Return the correspondence as text, four lines for each projection of the original that carries activity."""
        heads = ("", "  is     ", "  learns ", "  below  ")
        return "\n".join("".join(pair) for row in self.rows() for pair in zip(heads, row, strict=True))


def tourbillonize(
    circuit: Circuit,
    *,
    image: Activates = "logistic",
    rule: str = "rec",
    output_block: bool = False,
    unpool: str = "upsample",
    channel: str = "decoders",
    bounded: bool = False,
) -> Twin:
    """Convert a feedforward circuit into circular autoencoders.

    Parameters
    ----------
    circuit : a circuit whose projections, apart from feedback, form no loop. Its feedback neurons are left out,
        except those that compare the output with a target. Dropout is left out too: a hinge compares two of its own
        activities.
    image : activation function of reconstructions of the input; those of other layers have the layer's function.
    rule : of the blocks: rec or rec-symmetric.
    output_block : True makes the output layer a circular autoencoder too, in addition to learning from its error.
    unpool : how a pool directly above a hinge is undone within the block: upsample or winners.
    channel : decoders, where pools pass errors by upsampling; or winners, through the synapses that won.
    bounded : True bounds the norm of the incoming weights of hinges (parameter max_norm).

    Returns
    -------
    The twin. Groups of rules: "encoder {q}" and "decoder {q}" for the block around projection q, "top", "tuning".
    Decoders are called "{q}_decoder".

    Raises
    ------
    CircuitError : projections that form a loop or use each other's weights; a hinge that cannot fire a second time,
        because a projection that does not learn drives it too.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, Algorithm 1, sections 5.1 and 5.2. A decoder has the encoder's synapses read
    backwards. A projection that does not learn has no decoder: the error passes on there through its synapses read
    backwards if they are fixed, as those of sums; through random ones otherwise, as from the output to the layer below.
    """
    require_choice("channel", "a twin", channel, ("decoders", "winners"))
    if not recirculates(rule):
        raise CircuitError("rule of a twin", got=repr(rule), expected="rec or rec-symmetric", remedy="Choose one.")
    forward = _forward(circuit)
    _check(circuit, forward)
    learning = [q for q in forward if q.name in circuit.rules]
    closed = [q for q in learning if output_block or q.target != circuit.outputs]
    hinges = {q.target for q in closed}
    mixing = hinges | {circuit.inputs for q in forward if q.source == circuit.inputs and not q.constant}
    layers = tuple(
        replace(p, mixes=p.name in mixing, bounded=bounded and p.name in hinges, dropout=0.0)
        for p in circuit.populations
        if not p.feedback and p.name != circuit.labels
    )
    named = {p.name: p for p in layers}
    blocks = tuple(_block(circuit, q, named, image, unpool) for q in closed)
    _check_hinges(circuit, forward, blocks)
    parts = Parts(layers, tuple(q for q in forward if q not in closed)) + join_parts(
        block_parts(b, rule) for b in blocks
    )
    parts += _supervised(circuit, [q for q in learning if q.target == circuit.outputs])
    parts += _tuning(circuit, forward, learning, blocks, channel)
    made = parts.circuit(
        f"twin of {circuit.name}", inputs=circuit.inputs, outputs=circuit.outputs, labels=circuit.labels
    )
    return Twin(made, Protocol(cycles=1), circuit, blocks)


def _forward(circuit: Circuit) -> list[Projection]:
    """List the projections that carry activity forward."""
    feedback = {p.name for p in circuit.populations if p.feedback}
    return [q for q in circuit.projections if not q.feedback and not {q.source, q.target} & feedback]


def _check(circuit: Circuit, forward: Sequence[Projection]) -> None:
    import networkx as nx  # here: it takes longer to import than a command to start

    graph = nx.DiGraph((q.source, q.target) for q in forward)
    if not nx.is_directed_acyclic_graph(graph):
        _refuse(circuit, f"a loop through {nx.find_cycle(graph)[0][0]}", "a feedforward circuit", "Open the loop.")
    for q in forward:
        if not q.has_tensor:
            _refuse(circuit, f"{q.name} with the weights of {q.tensor_owner}", "weights of its own", "Give it some.")
    for p in circuit.populations:
        if p.replaced:
            _refuse(
                circuit, f"{p.name}, whose activity feedback replaces", "neurons that only fire", "Use an fa circuit."
            )


def _check_hinges(circuit: Circuit, forward: Sequence[Projection], blocks: Sequence[Block]) -> None:
    """Refuse hinges with an input that does not fire a second time."""
    import networkx as nx

    sources = {q.name: q.source for q in forward} | {block.encoder.name: block.inner for block in blocks}
    again = {block.inner for block in blocks}
    for name in nx.topological_sort(nx.DiGraph((q.source, q.target) for q in forward)):
        into = [q.name for q in forward if q.target == name]
        still = [q for q in into if sources[q] not in again]
        again |= {name} if into and not still else set()
        if still and any(block.hinge.name == name for block in blocks):
            got = f"{name}, which also receives {still[0]}, whose source fires only once"
            _refuse(
                circuit, got, "hinges that fire twice", f"Let {still[0]} learn too, or let nothing into {name} learn."
            )


def _refuse(circuit: Circuit, got: str, expected: str, remedy: str) -> None:
    raise CircuitError(f"twin of circuit {circuit.name}", got=got, expected=expected, remedy=remedy)


def _block(circuit: Circuit, q: Projection, layers: dict[str, Population], image: Activates, unpool: str) -> Block:
    forward = _forward(circuit)
    source, hinge = layers[q.source], layers[q.target]
    alone = sum(other.source == q.source and other.name in circuit.rules for other in forward) == 1
    inner = q.source if q.source == circuit.inputs and alone else f"{q.source}_inner_{q.name}"
    fires = _values(circuit, forward, q.source)
    activation = fires or image
    reconstruction = Population(
        f"{q.source}_image_{q.name}", source.size, activation, site=source.site, shape=source.shape
    )
    undone = undo_pools(hinge, _pools(forward, layers, q.target), unpool)
    starts = undone[0].undone.name if undone else q.target
    back = q.connectivity.transposed()
    decoder = Projection(f"{q.name}_decoder", starts, reconstruction.name, q.delay, q.bias, connectivity=back)
    encoder = replace(q, source=inner)
    return Block(q.name, source, hinge, encoder, decoder, reconstruction, inner, pools=undone, fires=fires)


def _values(circuit: Circuit, forward: Sequence[Projection], name: str) -> Activates:
    """Return the function whose values a population fires: pools and upsampling pass them on; "" for the input's."""
    if name == circuit.inputs:
        return ""
    into = [q for q in forward if q.target == name]
    passes = len(into) == 1 and into[0].constant and circuit.population(name).activation == "identity"
    return _values(circuit, forward, into[0].source) if passes else circuit.population(name).activation


def _pools(
    forward: Sequence[Projection], layers: dict[str, Population], name: str
) -> list[tuple[Population, Projection]]:
    """Return the pools above a population that nothing else reads, each with the projection into it."""
    out = [q for q in forward if q.source == name]
    if len(out) != 1 or not isinstance(out[0].connectivity, POOLS):
        return []
    return [(layers[out[0].target], out[0]), *_pools(forward, layers, out[0].target)]


def _error_name(population: str) -> str:
    return f"{population}_error"


def _channel_name(projection: str) -> str:
    return f"{projection}_channel"


def _supervised(circuit: Circuit, into: Sequence[Projection]) -> Parts:
    """Add the comparison of the output with its target, if there is one, and the rule that uses it."""
    name = _error_name(circuit.outputs)
    compared = [x for x in circuit.exchanges if x.source == circuit.outputs and x.carries in COMPARED]
    if not compared:
        return Parts()
    output = circuit.population(circuit.outputs)
    targets = circuit.exchanged(compared[0].target, Carries.TARGET)
    labels = (circuit.population(circuit.labels),) if circuit.labels else ()
    return Parts(
        (*labels, feedback_beside(output, name)),
        exchanges=tuple(replace(x, target=name) for x in (*targets, compared[0])),
        plasticity=tuple(Plasticity(q.name, delta, post=name, group=TOP) for q in into),
    )


def _tuning(
    circuit: Circuit, forward: Sequence[Projection], learning: Sequence[Projection], blocks: Sequence[Block], how: str
) -> Parts:
    """Add feedback neurons beside each layer between input and output, the channel into them, and their rules."""
    import networkx as nx

    if not any(x.source == circuit.outputs and x.carries in COMPARED for x in circuit.exchanges):
        return Parts()
    decoders = {block.encoder.name: block.decoder.name for block in blocks}
    graph = nx.DiGraph((q.source, q.target) for q in forward)
    weighted = [q.target for q in forward if not q.constant]
    above = {name for target in weighted for name in (target, *nx.descendants(graph, target))}
    above &= nx.ancestors(graph, circuit.outputs)
    between = [p.name for p in circuit.populations if p.name in above]
    channel = (
        _down(circuit, q, decoders, how)
        for q in forward
        if q.source in between and q.target in (*between, circuit.outputs)
    )
    found = [circuit.population(name) for name in between]
    return Parts(
        tuple(feedback_beside(p, _error_name(p.name)) for p in found),
        tuple(channel),
        tuple(Exchange(p.name, _error_name(p.name), Carries.SLOPE) for p in found),
        tuple(
            Plasticity(q.name, delta, post=_error_name(q.target), group=TUNING) for q in learning if q.target in between
        ),
    )


def _down(circuit: Circuit, q: Projection, decoders: dict[str, str], how: str) -> Projection:
    """Return the projection that passes the error back along one that carries activity."""
    weights: Weights = Fixed(1.0) if q.constant else Tied(decoders[q.name]) if q.name in decoders else Own()
    back = q.connectivity.transposed()
    pools = q.constant and circuit.population(q.target).combine is Combine.MAX
    winners = q.target if pools and how == "winners" else ""
    if isinstance(q.connectivity, POOLS) and how == "decoders":
        back = upsampling(q.connectivity, *reversed(circuit.ends(q.name)))
    ends = _error_name(q.target), _error_name(q.source)
    return Projection(_channel_name(q.name), *ends, q.delay, weights=weights, connectivity=back, winners=winners)
