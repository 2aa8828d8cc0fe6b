"""Error of recirculation in asynchronous circuits: direction, size and mixing.

For circular autoencoders: `layer0` ... `layer{L}`, `A{h}`. The circuit does not learn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.alignment import degrees_between
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.autoencoder import circular_autoencoder

if TYPE_CHECKING:
    from circuitsim.asynchrony import AsynchronousSimulator


@dataclass(frozen=True)
class Activities:
    """Memories and emissions of neurons in successive presentations.

    Parameters
    ----------
    remembered, emitted : (layer, cycle) to (example, neuron), at the end of the cycle's time slice. Synapses would
        learn from the memories.
    """

    remembered: dict[tuple[int, int], np.ndarray]
    emitted: dict[tuple[int, int], np.ndarray]

    def error(self, h: int, cycle: int = 1) -> np.ndarray:
        """Error signal of layer h in recirculation, O(0) - O(cycle), (example, neuron)."""
        found: np.ndarray = self.remembered[h, 0] - self.remembered[h, cycle]
        return found


def record(simulator: AsynchronousSimulator, rows: Sequence[int]) -> Activities:
    """Show examples one after the other without learning and record activities."""
    keys = [
        (h, cycle) for h in range(len(simulator.circuit.populations)) for cycle in range(simulator.protocol.cycles + 1)
    ]
    remembered: dict[tuple[int, int], list[np.ndarray]] = {key: [] for key in keys}
    emitted: dict[tuple[int, int], list[np.ndarray]] = {key: [] for key in keys}
    for row in rows:
        simulator.present(row, learn=False)
        for h, cycle in keys:
            remembered[h, cycle].append(simulator.remembered(f"layer{h}", cycle))
            emitted[h, cycle].append(simulator.emitted(f"layer{h}", cycle))
    return Activities(*({key: np.array(parts) for key, parts in one.items()} for one in (remembered, emitted)))


def backpropagated(circuit: Circuit, tensors: dict[str, np.ndarray], x: np.ndarray) -> dict[int, np.ndarray]:
    """Backpropagate the error to each hidden layer through given weights, f'(S_h) A_{h+1}^T delta_{h+1}.

    Parameters
    ----------
    circuit : learns by recirculation. tensors : its weights. x : (example, feature).

    Returns
    -------
    (example, neuron) for each h = 1 ... L - 1.
    """
    from circuitsim.engine.simulator import Simulator

    layers = circuit.populations
    described, protocol = circular_autoencoder(
        [p.size for p in layers], "bp", hidden=layers[1].activation, output=layers[-1].activation,
        bias=circuit.projections[0].bias,
    )  # fmt: skip
    simulator = Simulator(described, protocol, batch=1, dtype=x.dtype)
    for name, tensor in tensors.items():
        simulator.load(name, tensor)
    hidden = range(1, len(layers) - 1)
    parts = [
        [array[0].copy() for array in arrays]
        for _, arrays in simulator.observe([(f"error{h}", "O", 0) for h in hidden], x)
    ]
    return {h: np.concatenate([part[place] for part in parts]) for place, h in enumerate(hidden)}


def angle(errors: np.ndarray, deltas: np.ndarray) -> float:
    """Return the mean angle in degrees over examples with a nonzero error."""
    angles = degrees_between(errors, deltas)
    known = angles[np.isfinite(angles)]
    return float(known.mean()) if known.size else np.nan


def disturbance(errors: np.ndarray, regular: np.ndarray) -> float:
    """Return the difference of errors from those with regular timing, relative to the latter (root mean squares)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sqrt(((errors - regular) ** 2).sum() / (regular**2).sum()))


def contrast(notes: Activities, h: int) -> float:
    """Return the difference of successive examples in cycle 0 of layer h, relative to the error (root mean squares)."""
    steps, errors = np.diff(notes.remembered[h, 0], axis=0), notes.error(h)[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sqrt((steps**2).sum() / (errors**2).sum()))


def mixing(simulator: AsynchronousSimulator, notes: Activities) -> dict[str, float]:
    """Fit the coefficients of cycle 0 in the emissions and memories of cycle 1.

        O(1) = c O(0) + (1 - c) F + rest,  c = <O(1) - F, O(0) - F> / |O(0) - F|^2

    with F = f(A O + b) for the emission O of the layer below at the end of cycle 1, or for layer 0 the emission of
    layer L at the end of cycle 0. `emits/layer{h}`, `remembers/layer{h}` : c, of emissions and of memories.
    `unexplained/layer{h}` : the rest of the memories, as a fraction of O(0) - F, root mean squares.
    """
    found: dict[str, float] = {}
    for h in range(len(simulator.circuit.populations) - 1):
        computed = _computed(simulator, notes, h)
        for name, values in (("emits", notes.emitted), ("remembers", notes.remembered)):
            # both mix in the memory of cycle 0
            found[f"{name}/layer{h}"], rest = _fit(values[h, 1], notes.remembered[h, 0], computed)
        found[f"unexplained/layer{h}"] = rest
    return found


def _computed(simulator: AsynchronousSimulator, notes: Activities, h: int) -> np.ndarray:
    """Activity of layer h in cycle 1 if its neurons responded immediately, (example, neuron)."""
    from circuitsim.kernels import reference

    if h == 0:
        return notes.emitted[len(simulator.circuit.populations) - 1, 0]
    tensors = simulator.tensors()
    summed: np.ndarray = notes.emitted[h - 1, 1] @ tensors[f"A{h}.weight"][0].T
    bias = [tensors[f"A{h}.bias"]] if f"A{h}.bias" in tensors else []
    out: np.ndarray = np.empty_like(summed)
    name = str(simulator.circuit.populations[h].activation)  # this engine has named functions alone
    reference.activate(name, summed[None], bias, out[None], None)()
    return out


def _fit(values: np.ndarray, held: np.ndarray, computed: np.ndarray) -> tuple[float, float]:
    """Fit the coefficient of `held`; the second value is the root mean square rest relative to held - computed."""
    span = (held - computed).astype(np.float64)
    if not span.any():
        return np.nan, np.nan
    coefficient = float(((values - computed) * span).sum() / (span**2).sum())
    rest = values - computed - coefficient * span
    return coefficient, float(np.sqrt((rest**2).sum() / (span**2).sum()))
