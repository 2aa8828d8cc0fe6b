"""Stacks of autoencoders: however high, each block learns as it would alone, and as fast."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from building import Setting, Tensors, digits, presentations, simulator, stack, train, weights_of

from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.locality import is_local
from circuitsim.timetable.schedule import make_schedule

ROWS = presentations(6)
both = pytest.mark.parametrize("backend", ["numba", "numpy"])
RWCC = {"emits": 0.3, "remembers": 0.6}


def bits(made: Simulator, *blocks: int) -> dict[str, bytes]:
    return {name: t.tobytes() for name, t in made.tensors().items() if not blocks or int(name[1]) in blocks}


@pytest.mark.parametrize("delay", [1, 4])
@pytest.mark.parametrize("blocks", range(1, 7))
def test_windows_do_not_depend_on_the_number_of_blocks(blocks: int, delay: int) -> None:
    """Each block is a circular autoencoder with L = 2: L + 1 for its encoder and L for its decoder."""
    made = make_schedule(*stacked_autoencoders([3] * (blocks + 1), delay=delay))
    assert made.windows == {
        f"{kind}{b}": delay * window for b in range(1, blocks + 1) for kind, window in (("E", 3), ("D", 2))
    }
    alone = make_schedule(*circular_autoencoder([3, 3, 3], delay=delay))
    assert [made.windows["E1"], made.windows["D1"]] == [alone.windows["A1"], alone.windows["A2"]]
    assert made.window == alone.window
    # a block begins one tick after the one below it, and does not wait until that one has gone around
    assert made.duration == delay * (blocks + 2) + 1


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_a_stack_is_local(blocks: int) -> None:
    circuit, protocol = stacked_autoencoders([5] * (blocks + 1))
    assert circuit.local and circuit.wires == ()
    found = make_schedule(circuit, protocol).findings
    assert found == () and is_local(found)


def loaded(made: Simulator, weights: Tensors) -> Simulator:
    """A simulator of a stack with the weights A1 and A2 in its lowest block."""
    for mine, theirs in (("E1", "A1"), ("D1", "A2")):
        for kind in ("weight", "bias"):
            if f"{mine}.{kind}" in made.tensors():
                made.load(f"{mine}.{kind}", weights[f"{theirs}.{kind}"])
    return made


@both
@pytest.mark.parametrize(
    "numbers, options",
    [({}, {}), ({"momentum": 0.5}, {"hidden": "logistic", "output": "identity"}), (RWCC, {}), ({}, {"bias": False})],
)
def test_one_block_is_the_circular_autoencoder(
    backend: str, numbers: dict[str, float], options: dict[str, Any]
) -> None:
    circular = Setting((64, 9, 64), lr=0.1, lr_bias=0.1, momentum=numbers.get("momentum", 0.0), **options)
    given = {"layer0": RWCC, "layer1": RWCC} if numbers is RWCC else {}
    mixing = {(owner, key): value for owner, pair in given.items() for key, value in pair.items()}
    parameters = circular.parameters() | mixing
    expected = simulator([circular], backend=backend, parameters=parameters)
    made = loaded(simulator([stack((64, 9), numbers, **options)], backend=backend), weights_of(expected))
    train(expected, ROWS)
    train(made, ROWS)
    names = {"E1": "A1", "D1": "A2"}
    found = {names[name[:2]] + name[2:]: tensor for name, tensor in bits(made).items()}
    assert found == bits(expected)


@both
@pytest.mark.parametrize("numbers", [{}, RWCC, {"momentum": 0.7}], ids=["plain", "rwcc", "momentum"])
def test_lower_blocks_learn_as_they_do_alone(backend: str, numbers: dict[str, float]) -> None:
    """To the bit: nothing comes down a stack."""
    whole = train(simulator([stack((64, 9, 7, 5), numbers)], backend=backend), ROWS)
    below: tuple[int, ...] = ()
    for blocks in (1, 2):
        below = (*below, blocks)
        made = simulator([stack((64, 9, 7, 5)[: blocks + 1], numbers)], backend=backend)
        assert bits(train(made, ROWS)) == bits(whole, *below)


@both
def test_higher_blocks_learn_from_the_hinge_below(backend: str) -> None:
    """The second block sees what the first one's hinge fired in cycle 0, before the update."""
    probes = [("layer1", "O", 0), ("inner1", "O", 0), ("image1", "O", 0), ("inner1", "O", 1), ("layer2", "O", 1)]
    made = simulator([stack((64, 9, 7), hidden="tanh")], backend=backend, probes=probes, batch=16)
    alone = simulator([stack((9, 7), hidden="tanh", output="tanh")], backend=backend)
    for kind in ("weight", "bias"):
        for name in ("E", "D"):
            alone.load(f"{name}1.{kind}", made.tensors()[f"{name}2.{kind}"])
    for rows in ROWS:
        made.present(rows)
        assert np.array_equal(made.probe("inner1"), made.probe("layer1"))
        assert np.array_equal(made.probe("inner1", cycle=1), made.probe("image1"))
        alone.use(made.probe("inner1")[0])
        alone.present(np.arange(len(rows)))
        for kind in ("weight", "bias"):
            for name in ("E", "D"):
                assert np.array_equal(made.tensors()[f"{name}2.{kind}"], alone.tensors()[f"{name}1.{kind}"])


def test_all_blocks_reconstruct_better_than_before() -> None:
    probes = [(f"{kind}", "O", 0) for kind in ("layer0", "image0", "layer1", "image1", "layer2", "image2")]
    made = simulator([stack((64, 20, 12, 8), {"lr": 0.2})], probes=probes, dtype="float32", batch=200)

    def errors() -> list[float]:
        made.present(np.arange(200))
        return [float(((made.probe(f"layer{b}") - made.probe(f"image{b}")) ** 2).mean()) for b in range(3)]

    before = errors()
    train(made, presentations(200))
    after = errors()
    assert all(late < 0.7 * early for early, late in zip(before, after, strict=True)), (before, after)


def test_what_comes_out_is_the_lowest_image() -> None:
    made = simulator([stack((64, 9, 7))], probes=[("image0", "O", 0)])
    ((_, fired, _),) = list(made.outputs(digits()[ROWS[0]]))
    expected = fired.copy()
    made.present(ROWS[0])
    np.testing.assert_allclose(made.probe("image0"), expected, atol=1e-15)


@pytest.mark.parametrize("sizes", [[], [5]])
def test_a_stack_has_a_block(sizes: list[int]) -> None:
    message = (
        f"sizes of a stack of autoencoders: got {sizes}; expected at least two layers. Give the size of the input "
        "and of each hinge."
    )
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        stacked_autoencoders(sizes)
