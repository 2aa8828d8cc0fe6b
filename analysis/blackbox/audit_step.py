"""The black-box audit of any training step: change what a synapse must not know, and watch its update."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.blackbox.bench import Bench
from circuitsim.analysis.blackbox.compare import Comparison
from circuitsim.analysis.blackbox.experiments import gather
from circuitsim.analysis.blackbox.judge import judge
from circuitsim.analysis.blackbox.program import Program, State, Step
from circuitsim.analysis.blackbox.result import StepAudit
from circuitsim.analysis.blackbox.states import Draws
from circuitsim.analysis.blackbox.wiring import End, Wiring, make_wiring
from circuitsim.errors import StepError
from circuitsim.randomness import generator


def audit_step(
    step: Step,
    weights: Mapping[str, Any],
    wiring: Mapping[str, tuple[End, End]],
    batch: Mapping[str, Any],
    *,
    activities: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    returns: str = "weights",
    pre_axis: int = 1,
    third_factor: tuple[str, ...] = (),
    window: int | None = None,
    runs: int = 4,
    calls: int = 24,
    seed: int | None = None,
) -> StepAudit:
    """Find out what the weight changes of a training step depend on, without looking into it.

    The step is called with weights and examples changed on purpose, by copies that each have the step's own memory as
    it was. Permitted to a synapse are its own weight and state, its postsynaptic neuron's own incoming synapses, and
    the activities of its two neurons in each example, summed over examples.

    Parameters
    ----------
    step : called as step(weights, batch) with mappings like those given; returns new weights, or updates, by name. It
        must leave its arguments as they are. Names that it leaves out are not changed.
    weights : all synapses of the circuit by name, feedback synapses included: matrices (post, pre), biases (post,).
        NumPy arrays, or arrays or tensors of any library that NumPy can read.
    wiring : for each weight array its (pre, post), for example {"W1": ("x", "h"), "B2": ("y", "h"), "b1": (None, "h")}.
        A tuple of names, ("h", "delta_h"), says that they are activities of the same neurons.
    batch : arrays of examples by name, (example, neuron…) or (example, time, neuron). Names that the wiring has are
        the activities of input neurons.
    activities : names of activities in the wiring that the step offers to be held. It is then called as
        step(weights, batch, hold) and passes each through `hold`: h = hold("h", numpy.tanh(...)). The audit holds the
        activities of a synapse's two neurons and changes all others, which tests every reading to the rounding.
        Gradients do not flow through `hold`.
    labels : the site at which each other entry is presented; by default the site furthest from the inputs.
    returns : "weights" or "updates". pre_axis : 0 if matrices are (pre, post).
    third_factor : weights whose update may be multiplied by one number that is broadcast to all (a reward).
    window : calls for which an update may remember examples in the step's own memory (a velocity, a trace); None: any.
    runs : random states in addition to the given one. calls : consecutive calls of a step that has memory.
    seed : of all that is drawn; by default a new one, which the result records.

    Returns
    -------
    A `StepAudit`: `local`, `findings`, `dependencies`, `angles`, `coverage`, `limits`, `seed`; `print` it.

    Raises
    ------
    StepError : if the arguments do not fit together, or the step raises, changes its arguments, returns something else
        than promised, or gives two results for the same arguments.

    Example
    -------
    >>> import circuitsim as cs
    >>> random = np.random.default_rng(0)
    >>> def hebb(weights, batch):
    ...     return {"W": weights["W"] + 0.1 * np.tanh(batch["x"] @ weights["W"].T).T @ batch["x"]}
    >>> weights, batch = {"W": random.normal(size=(3, 5))}, {"x": random.normal(size=(4, 5))}
    >>> cs.audit_step(hebb, weights, {"W": ("x", "y")}, batch, seed=0).local
    True
    """
    _check_options(returns, pre_axis, runs, calls)
    program = Program(step, weights, batch, returns=returns, pre_axis=pre_axis, activities=activities)
    _check_batch(program.given)
    declared = make_wiring(wiring, labels, program.given.weights, program.given.batch)
    _check_names(activities, third_factor, declared)
    chosen = secrets.randbits(32) if seed is None else seed
    random = generator(chosen, "audit of a step")
    bench = Bench(program, declared, Draws(declared, program.given, random), Comparison(program), random)
    return judge(bench, gather(bench, runs, calls), third_factor, window, chosen)


def _check_options(returns: str, pre_axis: int, runs: int, calls: int) -> None:
    for name, value, fits, expected in (
        ("returns", returns, returns in ("weights", "updates"), '"weights" or "updates"'),
        ("pre_axis", pre_axis, pre_axis in (0, 1), "0 or 1"),
        ("runs", runs, runs >= 1, "a whole number of at least 1"),
        ("calls", calls, calls >= 1, "a whole number of at least 1"),
    ):
        if not fits:
            raise StepError(name, got=repr(value), expected=expected, remedy="See help(circuitsim.audit_step).")


def _check_names(activities: Sequence[str], third_factor: Sequence[str], wiring: Wiring) -> None:
    weights = [wire.name for wire in wiring.wires]
    free = [name for name in wiring.places if name not in wiring.inputs]
    for what, given, known, expected, remedy in (
        (
            "activities",
            activities,
            free,
            "names that the wiring has and the batch has not",
            'Name activities of the same neurons together, for example "W1": ("x", ("h", "delta_h")).',
        ),
        ("third_factor", third_factor, weights, "names of weights", "Name the weights whose updates it multiplies."),
    ):
        unknown = ", ".join(repr(name) for name in given if name not in known)
        if unknown:
            raise StepError(what, got=unknown, expected=f"{expected}: {', '.join(map(repr, known))}", remedy=remedy)


def _check_batch(given: State) -> None:
    lengths = {key: len(values) if values.ndim else None for key, values in given.batch.items()}
    sound = len(set(lengths.values())) == 1 and None not in lengths.values() and 0 not in lengths.values()
    for name, values in (*given.weights.items(), *given.batch.items()):
        if not np.isfinite(values).all() or (name in given.weights and values.dtype.kind != "f"):
            raise StepError(
                f"array {name!r}",
                got=f"{values.dtype} with NaN or infinite values" if values.dtype.kind == "f" else str(values.dtype),
                expected="finite values, and floating-point numbers for weights",
                remedy="Give the arrays of a run that has not diverged.",
            )
    if not sound or not given.weights:
        raise StepError(
            "batch" if given.weights else "weights",
            got=", ".join(f"{key!r} of length {length}" for key, length in lengths.items())
            if given.weights
            else "none",
            expected="arrays with one row an example, all of one length" if given.weights else "at least one array",
            remedy="Put the examples on the first axis of every entry." if given.weights else "Give the weights.",
        )
