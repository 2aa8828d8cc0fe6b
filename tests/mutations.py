"""Faults of the engine: each is small, named, and planted in a copy of one function's source.

Suites, by the letter that `caught` names them with: I, the interventional audit; C, light cones; K, the contract of
kernels; P, of phases; R, of rules; H, the hand-written loops; M, the tests of mirror mode's noise. A fault that is
local (a sign, a missing term, a wrong cycle) tells a synapse nothing forbidden: I must miss it, and a contract or the
loops catch it.
"""

# ruff: noqa: E501  (a row of the table is a line)
from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from circuitsim.engine import activity, parameters, plan, state, timeline
from circuitsim.kernels import reference
from circuitsim.kernels.cpu import activations, products, synapses
from circuitsim.kernels.cpu import backend as cpu
from circuitsim.kernels.steps import in_turn
from circuitsim.lowering import codegen, compiler, separation
from circuitsim.phases import base, delivery, feedback, forward, mirror, reading, recirculation, replacement, update
from circuitsim.timetable import causality

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """One planted fault, the bench and backend that show it, and the suites that must catch it."""

    name: str
    backend: str
    bench: str
    caught: str
    plant: Plant

    @property
    def local(self) -> bool:
        """True where the fault tells a synapse nothing forbidden."""
        return "I" not in self.caught and self.name not in SILENT


def turned(array: np.ndarray) -> np.ndarray:
    """Swap the last two axes of a square array; others would raise an error."""
    return array.swapaxes(-1, -2) if array.shape[-1] == array.shape[-2] else array


def rolled(array: np.ndarray, axis: int) -> np.ndarray:
    """Give each element its neighbour's value."""
    return np.roll(array, 1, axis)


def alike(first: dict[Any, np.ndarray], second: dict[Any, np.ndarray]) -> bool:
    """Tell if two neurons' memories have the same keys and sizes."""
    return first.keys() == second.keys() and all(first[k].shape[2] == second[k].shape[2] for k in first)


def edit(owner: Any, name: str, *pairs: tuple[str, str]) -> Plant:
    """Replace pieces of a function's code, each of which must be there, wherever the engine holds the function."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        function = vars(owner)[name]
        plain = getattr(function, "py_func", function)
        source = textwrap.dedent(inspect.getsource(plain))
        source = source[source.index("def ") :]  # without @njit: what is broken runs in Python
        if plain.__doc__:  # a fault in the docstring would be none
            source = "".join(source.split('"""', 2)[::2])
        for old, new in pairs:
            assert old in source, f"{name} has no {old!r}"
            source = source.replace(old, new)
        made: dict[str, Any] = {}
        helpers = {"turned": turned, "rolled": rolled, "alike": alike, "in_turn": in_turn}
        exec(source, {**plain.__globals__, **helpers}, made)
        substitute(patch, owner, name, made[name])

    return plant


def substitute(patch: pytest.MonkeyPatch, owner: Any, name: str, made: Any) -> None:
    """Replace an attribute under every name and in every table of the engine."""
    original = vars(owner)[name]
    patch.setattr(owner, name, made)
    for module in [m for n, m in sys.modules.items() if n.startswith("circuitsim")]:
        for key, value in list(vars(module).items()):
            if value is original:
                patch.setattr(module, key, made)
            for place, held in list(value.items()) if isinstance(value, dict) else ():
                if held is original:
                    patch.setitem(value, place, made)
                elif isinstance(held, tuple) and original in held:
                    patch.setitem(value, place, tuple(made if part is original else part for part in held))


def both(*plants: Plant) -> Plant:
    """Several edits that make one fault."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for one in plants:
            one(patch)

    return plant


def in_python(plant: Plant) -> Plant:
    """Generated loops run in Python: no cache keeps a broken one, and a wrong index is an error."""

    def uncompiled(source: str) -> Any:
        made: dict[str, Any] = {}
        exec(source, made)
        return made["kernel"]

    return both(lambda patch: patch.setattr(codegen, "_compiled", uncompiled), plant)


PARTS = {cpu: (products, synapses)}


def table(backend: str, module: Any, *rows: tuple[Any, ...]) -> list[Fault]:
    """Rows (what, bench, caught, function or plant, edits of its source ...)."""
    found = []
    for what, bench, caught, target, *pairs in rows:
        if isinstance(target, str):
            owner = next((part for part in PARTS.get(module, ()) if target in vars(part)), module)
            if "." in target:
                kind, target = target.split(".")
                owner = vars(module)[kind]
            plant = edit(owner, target, *pairs)
        else:
            plant = target
        of = "cpu" if module is cpu else module.__name__.rpartition(".")[2]
        found.append(Fault(f"{of}: {what}", backend, bench, caught, plant))
    return found


def constant(module: ModuleType, name: str, old: str, new: str) -> Plant:
    """Replace a piece of a template."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        assert old in getattr(module, name)
        substitute(patch, module, name, getattr(module, name).replace(old, new))

    return plant


SENT, THROUGH = "product(how, e[begin:end],", "across[r][:, low:high]"
STALE = [
    ("return bind(\n", "stale = emitted.copy()\n    return in_turn([bind(\n"),
    ("read_examples(emitted)", "read_examples(stale)"),
    ("work=work\n    )", "work=work\n    ), lambda: np.copyto(stale, emitted)])"),
]
FIRES = "if room.shape[0] == 0:"
OVER_BATCH = """
    s += bias[:, None, :, 0]
    s, out, bias = s.swapaxes(1, 2), out.swapaxes(1, 2), bias[:0]
    high, end = s.shape[2], s.shape[1]
    for r in range(first, last):
"""

NUMBA = table(
    "numba",
    cpu,
    ("weights transposed", "loop", "IH", "_deliver", ("across[r][", "turned(across[r])[")),
    ("the neighbour's synapses", "loop", "IKH", "_deliver", (THROUGH, "rolled(across[r], 1)")),
    ("the next example's emission", "loop", "ICKH", "_deliver", (SENT, "product(how, rolled(e, 0)[begin:end],")),
    ("batch and neurons swapped", "loop", "ICH", "_deliver", (SENT, "product(how, turned(e)[begin:end],")),
    ("the last presynaptic neuron left out", "loop", "KH", "_deliver", (SENT, "product(how, e[begin:end, :-1],"), (THROUGH, "across[r][:-1, low:high]")),
    ("another replica's weights", "loop", "IKH", "_deliver", ("across[r]", "across[r - 1]")),
    ("added to the presentation before", "loop", "IKPH", "deliver", ("1.0 if accumulate else 0.0", "1.0")),
    ("a second projection replaces the first", "skip", "KPH", "deliver", ("1.0 if accumulate else 0.0", "0.0")),
    ("the emission of the call before", "loop", "ICPH", "deliver", *STALE),
    ("signs of the weights the other way", "ss", "H", "deliver_signed", ("read_part(other,", "read_part(turned(other),")),
    ("magnitudes with a sign of their own", "ss", "KH", "_signed", ("abs(magnitude[r, i, j])", "magnitude[r, i, j]")),
    ("the next example", "loop", "IKH", "_gather", ("line(x, 0, rows[r, b],", "line(x, 0, (rows[r, b] + 1) % x.shape[1],")),
    ("classes shifted by one", "fa", "KH", "_one_hot", ("y[rows[r, b]])", "y[rows[r, b]]) - 1")),
    ("the label of another example", "fa", "IKH", "_one_hot", ("rows[r, b]", "rows[r, b - 1]")),
    ("the label before it left in", "fa", "IKPH", "_one_hot", ("out[r, b, i] = 0", "pass")),
    ("the mean of the layer", "centred", "KH", "_centre", ("total += out[r, b, i]", "total += out[r, b].mean()")),
    ("noise that is not redrawn", "wm", "KM", "noise", ("name, tick,", "name, 0 * tick,")),
    ("one noise for all replicas", "wm", "KM", "noise", ("(seeds, name", "(seeds[[0] * len(seeds)], name")),
    ("the neighbour's bias", "loop", "IKH", edit(activations, "_fire", ("extra[i]", "extra[i - 1]"))),
    ("another replica's bias", "loop", "IKH", edit(activations, "_fire", ("block(bias, r,", "block(bias, r - 1,"))),
    ("no bias", "loop", "KH", edit(activations, "_fire", ("bias.shape[0] > 0", "False"))),
    ("a second bias left out", "skip", "K", edit(activations, "activate", ("in others", "in others[1:]"))),
    ("divided by the layer's mean", "loop", "IKH", edit(activations, "_fire", (FIRES, "fired /= 1 + np.abs(fired).mean()\n            " + FIRES))),
    ("the slope of another function", "fa", "KH", edit(activations, "_fire", ("_slope_by_activity(function,", "_slope_by_activity(3 - function,"))),
    ("the slope of the presentation before", "fa", "IKPH", edit(activations, "_fire", ("function != CLIP:", "function != CLIP and not slope.any():"))),
    ("softmax over the batch", "softmax", "CKH", edit(activations, "_share_out", ("\n    for r in range(first, last):\n", OVER_BATCH))),
    ("what another example held", "loop", "ICKH", "_mix", ("held.shape[0] - 1), b, low", "held.shape[0] - 1), b - 1, low")),
    ("another replica's coefficient", "loop", "IKH", "_mix", ("coefficient[r]", "coefficient[r - 1]")),
    ("held and computed swapped", "loop", "KH", "_mix", ("c * h[i] + rest * s[i]", "c * s[i] + rest * h[i]")),
    ("the recirculated error's sign", "error", "KH", "_mix_error", ("(h[i] - s[i])", "(s[i] - h[i])")),
    ("the neighbour's class", "hinge", "ICKH", "_hinge", ("wanted[b, i]", "wanted[b, i - 1]")),
    ("the margin for the right class too", "hinge", "KH", "_hinge", ("1 if summed[r, b, i] < 1", "1 if summed[r, b, i] < margin[r]")),
    ("target less the batch's mean", "fa", "ICKH", "_subtract", ("line(actual, r, b, low, high)", "actual[r].mean(axis=0)[low:high]")),
    ("the error's sign", "fa", "KH", "_subtract", ("t[i] - a[i]", "a[i] - t[i]")),
    ("the neighbour's slope", "fa", "IKH", "_multiply", ("y[i]", "y[i - 1]")),
    ("the neighbour's momentum", "loop", "IKH", "_apply_momentum", ("mu * v[i]", "mu * v[i - 1]")),
    ("no momentum", "loop", "KH", "_apply_momentum", ("mu * v[i] +", "")),
    ("another replica's rate", "loop", "IKH", "_apply_momentum", ("rate[r]", "rate[r - 1]")),
    ("no decay", "fa", "KH", "_apply", ("- decay[r]", "")),
    ("decay towards the layer's mean", "fa", "IKH", "_apply", ("kept * w[i]", "w[i] - (1 - kept) * (w[i] - weight[r].mean())")),
    ("the neighbouring synapse's increment", "fa", "ICKH", "_apply", ("dw[i]", "dw[i - 1]")),
    ("the last synapse left out", "fa", "KH", "_apply", ("range(w.shape[0])", "range(w.shape[0] - 1)")),
    ("absent synapses learn", "fa", "KH", "_mask", ("weight[r, i, j] *= kept[r, i, j]", "pass")),
    ("another replica's norm", "normalised", "KH", "_normalise", ("total += float(weight[r, i, j])", "total += float(weight[r - 1, i, j])")),
    ("one norm for the layer", "loop", "IKH", "_squares", ("squares[r, i, 0] += total", "squares[r] += total")),
    ("the bias not bounded", "loop", "KH", "bound", ("*(b[:, :, None] for b in biases)", "")),
)  # fmt: skip

ARRIVED, FIRED = "contribution if accumulate else contribution", "out[...] = fired"

NUMPY = table(
    "numpy",
    reference,
    ("weights transposed", "loop", "IH", "deliver", ("e, across[r])", "e, turned(across[r]))")),
    ("the neighbour's synapses", "loop", "IKH", "deliver", ("e, across[r])", "e, rolled(across[r], 1))")),
    ("the next example's emission", "loop", "ICKH", "deliver", ("e, across[r])", "rolled(e, 0), across[r])")),
    ("another replica's emission", "loop", "ICKH", "deliver", ("emitted[min(r, emitted.shape[0] - 1)]", "emitted[r - 1]")),
    ("the last presynaptic neuron left out", "loop", "KH", "deliver", ("e, across[r])", "e[:, :-1], across[r, :-1])")),
    ("added to the presentation before", "loop", "IKPH", "deliver", (ARRIVED, "contribution")),
    ("a second projection replaces the first", "skip", "KPH", "deliver", (f"arriving[r] + {ARRIVED}", "contribution")),
    ("magnitudes of the next neuron", "ss", "IKH", "deliver_signed", ("np.abs(magnitude)", "np.abs(rolled(magnitude, 1))")),
    ("the next example", "loop", "IKH", "gather", ("x[rows[r]]", "x[rows[r] - 1]")),
    ("the label of another example", "fa", "IKH", "one_hot", ("y[rows[r]]", "y[rolled(rows[r], 0)]")),
    ("the mean of the layer", "centred", "KH", "centre", ("axis=1", "axis=2")),
    ("noise that is not redrawn", "wm", "KM", "noise", ("int(tick[0])", "0")),
    ("no bias", "loop", "KH", "activate", ("in biases:", "in biases[1:]:")),
    ("the neighbour's bias", "loop", "IKH", "activate", ("bias[:, None, :]", "rolled(bias, 1)[:, None, :]")),
    ("the neighbour's activity", "loop", "IKH", "activate", (FIRED, "out[...] = rolled(fired, 2)")),
    ("the layer's mean taken off", "loop", "IKH", "activate", (FIRED, "out[...] = fired - 0.1 * fired.mean(axis=2, keepdims=True)")),
    ("the slope of the activity", "fa", "KH", "activate", ("derivative(arriving)", "derivative(fired)")),
    ("the slope of another example", "fa", "ICKH", "activate", ("derivative(arriving)", "rolled(derivative(arriving), 1)")),
    ("softmax over the batch", "softmax", "CKH", "_softmax", ("axis=-1", "axis=1")),
    ("held and computed swapped", "loop", "KH", "mix", ("c * held + (1 - c) * computed", "c * computed + (1 - c) * held")),
    ("what another example held", "loop", "ICKH", "mix", ("c * held", "c * rolled(held, 1)")),
    ("another replica's coefficient", "loop", "IKH", "mix", ("= coefficient[", "= coefficient[::-1][")),
    ("the error's sign", "error", "KH", "mix_error", ("(held - returned)", "(returned - held)")),
    ("the other classes unweighted", "hinge", "KH", "hinge", ("1 / (out.shape[2] - 1)", "1")),
    ("the mean target of the batch", "fa", "ICKH", "subtract", ("subtract(target, actual", "subtract(target.mean(axis=1, keepdims=True), actual")),
    ("the neighbour's slope", "fa", "IKH", "multiply", ("multiply(first, second", "multiply(first, rolled(second, 2)")),
    ("the gate left out", "fa", "KH", "multiply", ("np.multiply(first, second, out=out)", "np.copyto(out, first)")),
    ("another replica's velocity", "loop", "IKH", "apply", ("* velocity[r] +", "* velocity[r - 1] +")),
    ("decay in the velocity", "fast", "KH", "apply", ("scale)", "scale) - decay[r] * weight[r]"), ("- decay[r] * weight[r]\n", "\n")),
    ("the transposed increment", "loop", "IH", "apply", ("increment[r] *", "(turned(increment[r]) if increment.ndim == 3 else increment[r]) *")),
    ("absent synapses learn", "fa", "KH", "mask", ("np.multiply(weight, kept, out=weight)", "None")),
    ("divided by each neuron's norm", "normalised", "KH", "normalise", (".sum())", ".sum(axis=1, keepdims=True))"), ("if norm > 0", "if True")),
    ("one norm for the layer", "loop", "IKH", "bound", (".sum(axis=1)", ".sum()")),
)  # fmt: skip

PRE = "pre[min(r, pre.shape[0] - 1)]"
OUTER = f"product(how, across, {PRE}, target[r][low:high], 0)"
OF_RULES = [
    *table(
        "numba",
        cpu,
        ("increments transposed", "loop", "ICH", "outer_kernel", (OUTER, f"target[r][...] = turned(across @ {PRE})")),
        ("another example's presynaptic activity", "loop", "IRH", "outer_kernel", (PRE, f"rolled({PRE}, 0)")),
        ("means over the batch", "loop", "IRH", "outer_kernel", (PRE, f"0 * {PRE} + {PRE}.mean(axis=0, keepdims=True)")),
        ("the last example left out", "loop", "IRH", "outer_kernel", ("across, pre", "across[:, :-1], pre"), (PRE, f"{PRE}[:-1]")),
        ("another replica's activity", "loop", "ICRH", "outer_kernel", ("post[min(r, post.shape[0] - 1)]", "post[r - 1]")),
        ("the neighbour's activity", "loop", "IRH", "outer_kernel", (PRE, f"rolled({PRE}, 1)")),
    ),
    *table(
        "numba",
        compiler,
        ("cycle 0 for 1", "loop", "RH", "_arrays", ("memory[meaning.cycle]", "memory[min(memory)]")),
        ("pre and post swapped", "fa", "ICH", "_arrays", ("if meaning.place is Place.PRE", "if (meaning.place is Place.PRE) != alike(operands.pre, operands.post)")),
        ("another neuron's activity in a loop", "every", "IRH", in_python(edit(compiler, "_lower_every", ("[b, j]", "[b, j - 1]")))),
        ("another example's activity in a loop", "every", "IRH", in_python(edit(compiler, "_lower_every", ('"[b, j]"', '"[b - 1, j]"')))),
        ("the transposed weight", "oja", "IH", "_arrays", ("meaning.place], weight))", "meaning.place], turned(weight)))")),
        ("increments not reset", "ia", "PRH", in_python(edit(compiler, "_accumulate", ('"=" if first else "+="', '"+="')))),
        ("biases with a presynaptic 0", "loop", "RH", "_lower_bias", ("s: ONE", "s: 0 * ONE")),
    ),
    *table(
        "numba",
        codegen,
        ("a sum that is not reset", "every", "IPRH", in_python(constant(codegen, "EVERY", "                total = T(0.0)\n", "                total = out[r, i - 1, j - 1]\n"))),
        ("parameters of replica 0", "ia", "IRH", in_python(edit(codegen, "generate", ("min(r, {name}.shape[0] - 1)", "0")))),
    ),
    *table(
        "numba",
        separation,
        ("a constant lost", "ia", "RH", in_python(edit(separation, "_split", ("parts[home] *= constant", "pass")))),
        ("a term lost", "oja", "RH", in_python(edit(separation, "_merge", (".get((p.pre, p.synapse), sympy.Integer(0)) + p.post", ".get((p.pre, p.synapse), p.post)"), ("by_post.get((post, synapse), sympy.Integer(0)) + pre", "pre")))),
    ),
    *table(
        "numpy",
        compiler,
        ("another example's presynaptic activity, mapped", "loop", "IRH", "mapped", ("[:, b, None, :]", "[:, b - 1, None, :]")),
        ("the neighbour's activity, mapped", "loop", "ICRH", "mapped", ("column(operands.post[k][:, b])", "column(rolled(operands.post[k], 2)[:, b])")),
        ("the transposed weight, mapped", "oja", "IH", "mapped", ("else operands.synapse ", "else turned(operands.synapse) if weights else operands.synapse ")),
        ("increments not reset, mapped", "loop", "PRH", "mapped", ("out[...] = 0", "pass")),
        ("cycle 0 for 1, mapped", "loop", "RH", "mapped", ("operands.post[k]", "operands.post[min(operands.post)]")),
        ("parameters of replica 0, mapped", "ia", "IRH", "mapped", ("k: v.reshape", "k: (0 * v + v[0]).reshape")),
        ("the last example left out, mapped", "loop", "IRH", "mapped", ("range(operands.batch)", "range(operands.batch - 1)")),
    ),
]  # fmt: skip

ELSEWHERE = [
    *table("numba", base,
        ("what is remembered in the place of what is emitted", "loop", "IH", "emission", ('"E" if', '"O" if')),
        ("no biases", "loop", "H", "biases", ("if q.bias", "if False")),
    ),
    *table("numpy", base,
        ("what is remembered in the place of what is emitted", "loop", "IH", "emission", ('"E" if', '"O" if')),
    ),
    *table("numba", delivery,
        ("all weights transposed", "loop", "IH", "_dense", ("weight.transpose(0, 2, 1)", "turned(weight.transpose(0, 2, 1))")),
        ("transported weights straight", "bp", "H", "_dense", ("weight if", "turned(weight) if")),
    ),
    *table("numpy", recirculation,
        ("cycle 0 returned for the one before", "cycles", "H", edit(recirculation, "_returned", ("cycle - taken.period", "0"))),
        ("remembers as it emits", "loop", "H", "_outputs", ('"remembers"', '"emits"')),
    ),
    *table("numba", recirculation,
        ("shared memory written first", "loop", "H", "bind", ("_same(pair[1], arriving))", "not _same(pair[1], arriving))")),
    ),
    *table("numba", feedback,
        ("a margin on O for S", "hinge", "H", both(edit(feedback, "accesses", ('held.source, "S", step', 'held.source, "O", step')), edit(feedback, "bind", ('held.source, "S", step', 'held.source, "O", step')))),
    ),
    *table("numpy", feedback,
        ("the error's sign", "fa", "H", "bind", ('subtract(wanted, b.view(held.source, "O", step)', 'subtract(b.view(held.source, "O", step), wanted')),
    ),
    *table("numpy", forward,
        ("nothing centred", "centred", "H", "bind", ("if p.centres", "if False")),
    ),
    *table("numpy", mirror,
        ("the bias left out", "wm", "H", both(edit(mirror, "accesses", ("if mirror.block_bias", "if True")), edit(mirror, "bind", ("if mirror.block_bias", "if True")))),
    ),
    *table("numpy", replacement,
        ("the error's sign", "replaced", "H", "bind", ('b.view(target[0].source, "O", 0), b.view(name, "O", 0)', 'b.view(name, "O", 0), b.view(target[0].source, "O", 0)')),
    ),
    *table("numba", reading,
        ("activity in the place of the error", "fa", "CH", edit(reading, "owner", ("learning.post or q.target", "q.target"))),
        ("the source in the place of a colocated memory", "kp", "CH", edit(reading, "owner", ("learning.post or q.target", "q.target"))),
    ),
    *table("numpy", update,
        ("decay of the bias", "fa", "H", "bind", ("np.zeros_like(decay)", "decay")),
        ("the sum of the batch", "fa", "H", "bind", ("1.0 / b.view", "1.0 + 0 * b.view")),
        ("the weights' rate for biases", "loop", "H", "_tensors", ('"lr_bias"', '"lr"')),
    ),
    *table("numpy", causality,
        ("a tick too late", "cycles", "C", "EventGenerator._emitted", ("event.tick + q.delay", "event.tick + q.delay + (q.target == 'layer1')")),
        ("all delays one tick", "slow", "C", "EventGenerator._emitted", ("event.tick + q.delay", "event.tick + 1")),
    ),
    *table("numba", plan,
        ("a second rule replaces the first", "ia", "PH", "Plan._bind", ("access.key not in seen", "True")),
        ("nothing starts afresh", "fa", "IPH", "Plan._bind", ("access.key not in seen", "False")),
        ("the next examples", "fa", "H", "Plan.replay", ("rows[...] = rows", "rows[...] = (rows + 1) % len(self.x)")),
    ),
    *table("numba", activity,
        ("S overwritten while it is read", "watched", "H", "shared_memory", ("and summed not in read", "")),
        ("emitted and remembered in one memory", "loop", "H", "_emits_what_it_remembers", ('(state.parameter(population, "emits") == state.parameter(population, "remembers")).all()', "True")),
    ),
    *table("numpy", plan,
        ("a second rule replaces the first", "ia", "PH", "Plan._bind", ("access.key not in seen", "True")),
    ),
    *table("numpy", parameters,
        ("parameters of another replica", "loop", "H", "spread", ("given.reshape(-1),", "given.reshape(-1)[::-1],")),
    ),
    *table("numpy", state,
        ("what is read can be written", "fa", "P", "guarded", ("mode is not Mode.READ", "True")),
        ("the mask not applied", "fa", "H", "State._allocate", ("weight *= kept", "weight += 0 * kept")),
    ),
    *table("numba", timeline,
        ("the clock stands still between waves", "wm", "M", "Timeline.mirror", ("set_clock(self.tick,", "set_clock(0 * self.tick,")),
    ),
]  # fmt: skip

FAULTS = [*NUMBA, *NUMPY, *OF_RULES, *ELSEWHERE]

DECLARED = "the circuit declares a wire of this kind in this projection; other wires of the kind are not distinguished"
GIVEN = "seeds, clock and parameters are given, not learned from"
SILENT = {  # non-local faults that the intervention misses, with the reason
    "cpu: signs of the weights the other way": DECLARED,
    "delivery: transported weights straight": DECLARED,
    "cpu: the mean of the layer": DECLARED,
    "reference: the mean of the layer": DECLARED,
    "cpu: softmax over the batch": DECLARED,
    "reference: softmax over the batch": DECLARED,
    "cpu: another replica's norm": DECLARED,
    "cpu: noise that is not redrawn": GIVEN,
    "reference: noise that is not redrawn": GIVEN,
    "timeline: the clock stands still between waves": GIVEN,
    "cpu: one noise for all replicas": GIVEN,
    "parameters: parameters of another replica": GIVEN,
    "plan: the next examples": "a presentation of other examples is as local as one of these",
}
