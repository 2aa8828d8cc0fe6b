"""What many tests build: settings of an autoencoder, the simulator that runs them, and the same run by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import handwritten
import numpy as np
from sklearn.datasets import load_digits

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import OneToOne
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.circuit.weights import Fixed
from circuitsim.circuits.autoencoder import ERROR_DRIVEN, circular_autoencoder, variant_coefficients
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.eligibility import rflo_network
from circuitsim.circuits.errors_through_time import through_time
from circuitsim.circuits.nest import nested_autoencoder
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.circuits.tourbillon import tourbillon
from circuitsim.engine.noise import firing_given
from circuitsim.engine.parameters import readable
from circuitsim.engine.simulator import Simulator
from circuitsim.timetable.protocol import Clock, Protocol

Tensors = dict[str, np.ndarray]


@cache
def digits() -> np.ndarray:
    """Real digits (200, 64), pixels in [0, 1]; sixteenths, so exact in single precision too."""
    return load_digits().data[:200] / 16


@cache
def classes() -> np.ndarray:
    """What these digits are (200,)."""
    return load_digits().target[:200]


@dataclass(frozen=True)
class Setting:
    """One experiment with a circular autoencoder. Rates: one for each layer, or one for all."""

    sizes: tuple[int, ...] = (64, 16, 64)
    rule: Any = "rec"
    variant: str = "pr"
    lam: float | tuple[float, float] = 0.5
    cycles: int = 1
    reference_cycle: int = 0
    top_rule: str = "same"
    hidden: str = "tanh"
    output: str = "logistic"
    bias: bool = True
    lr: float | tuple[float, ...] = 0.1
    lr_bias: float | tuple[float, ...] = 0.05
    momentum: float = 0.0
    max_norm: float | None = None

    @property
    def top(self) -> int:
        return len(self.sizes) - 1

    @property
    def label(self) -> str:
        return f"{getattr(self.rule, 'name', self.rule)}-{self.cycles}"

    def with_rate(self, lr: float) -> Setting:
        return replace(self, lr=lr)

    def described(self, **more: Any) -> tuple[Circuit, Protocol]:
        names = ("hidden", "output", "bias", "cycles", "reference_cycle", "top_rule")
        given = {name: getattr(self, name) for name in names} | {"bounded": self.max_norm is not None} | more
        return circular_autoencoder(self.sizes, self.rule, **given)

    def parameters(self) -> dict[Any, Any]:
        rates, bias_rates = (self._each(r) for r in (self.lr, self.lr_bias))
        found: dict[Any, Any] = {"momentum": self.momentum, "max_norm": self.max_norm or np.inf}
        for h in range(1, self.top + 1):
            found[f"A{h}", "lr"], found[f"A{h}", "lr_bias"] = rates[h - 1], bias_rates[h - 1]
            if self.rule == "arbp" and h > 1:
                found[f"B{h}", "lr"] = rates[h - 1]
        if self.rule not in ERROR_DRIVEN:
            found |= variant_coefficients(self.variant, self.lam, self.top)
        return found

    def by_hand(self, weights: Tensors, rows: Sequence[np.ndarray], x: np.ndarray | None = None) -> Tensors:
        names = ("rule", "variant", "lam", "cycles", "reference_cycle", "top_rule", "hidden", "output", "bias",
                 "momentum", "max_norm")  # fmt: skip
        given = {name: getattr(self, name) for name in names}
        rates = {"lr": self._each(self.lr), "lr_bias": self._each(self.lr_bias)}
        return handwritten.train(digits() if x is None else x, weights, rows=rows, **given, **rates)

    def _each(self, rate: float | tuple[float, ...]) -> list[float]:
        return list(rate) if isinstance(rate, tuple) else [rate] * self.top


@dataclass(frozen=True)
class Built:
    """Any circuit of digits, from the function that describes it; with the parameters of a replica."""

    label: str
    make: Callable[..., tuple[Circuit, Protocol]]
    sizes: tuple[int, ...]
    options: tuple[tuple[str, Any], ...] = ()
    numbers: tuple[tuple[Any, float], ...] = ()
    max_norm: float | None = None

    def described(self, **more: Any) -> tuple[Circuit, Protocol]:
        return self.make(self.sizes, **dict(self.options) | more)

    def parameters(self) -> dict[Any, Any]:
        return {"lr": 0.1, **dict(self.numbers)} | ({} if self.max_norm is None else {"max_norm": self.max_norm})

    def with_rate(self, lr: float) -> Built:
        return self.having(lr=lr)

    def having(self, numbers: dict[Any, float] | None = None, **more: float) -> Built:
        """The same with other parameters."""
        return replace(self, numbers=tuple((dict(self.numbers) | (numbers or {}) | more).items()))


def classifier(
    feedback: str, sizes: tuple[int, ...] = (64, 7, 5, 10), numbers: dict[Any, float] | None = None, **options: Any
) -> Built:
    """A classifier of digits; `max_norm` bounds it."""
    limit = options.pop("max_norm", None)
    options |= {"feedback": feedback, "bounded": limit is not None}
    label = "-".join([feedback, *(str(options[k]) for k in ("loss", "primitives") if k in options)])
    return Built(label, layered_classifier, sizes, tuple(options.items()), tuple((numbers or {}).items()), limit)


def gated_loop(sizes: tuple[int, ...], feedback: str = "bp", **clock: int) -> tuple[Circuit, Protocol]:
    """A clocked classifier with a lateral loop and a gate; the input is blank in the last step."""
    n_in, n, n_out = sizes
    one: dict[str, Any] = {"weights": Fixed(1.0), "connectivity": OneToOne()}
    populations = (
        Population("x", n_in),
        Population("gate", n, "logistic"),
        Population("hidden", n, "tanh"),
        Population("gated", n, combine=Combine.PRODUCT),
        Population("y", n_out, "softmax"),
    )
    projections = (
        Projection("W1", "x", "hidden", bias=True),
        Projection("R", "gated", "hidden", lag=1),
        Projection("G1", "x", "gate", bias=True),
        Projection("K", "hidden", "gate", lag=1),
        Projection("open", "gate", "gated", **one),
        Projection("pass", "hidden", "gated", **one),
        Projection("W2", "gated", "y", bias=True),
    )
    circuit = Circuit("gated loop", populations, projections, "x", "y", blank=0.5)
    steps = clock.pop("steps", 4)
    return through_time(circuit, feedback), Protocol(clock=Clock(steps, clock.pop("shown", steps - 1), **clock))


def traced(sizes: tuple[int, ...] = (64, 5, 10), numbers: dict[Any, float] | None = None) -> Built:
    """A recurrent network whose synapses have traces and get a third factor."""
    return Built("traced", lambda sizes: rflo_network(*sizes, 3, judged=2), sizes, (), tuple((numbers or {}).items()))


def clocked(sizes: tuple[int, ...] = (64, 5, 10), numbers: dict[Any, float] | None = None, **options: Any) -> Built:
    """A gated loop that learns through time."""
    return Built("clocked", gated_loop, sizes, tuple(options.items()), tuple((numbers or {}).items()))


def stack(sizes: tuple[int, ...] = (64, 7, 5), numbers: dict[Any, float] | None = None, **options: Any) -> Built:
    """A stack of autoencoders of digits."""
    label = f"stack of {len(sizes) - 1}"
    return Built(label, stacked_autoencoders, sizes, tuple(options.items()), tuple((numbers or {}).items()))


def grown(sizes: tuple[int, ...] = (64, 7, 5, 10), numbers: dict[Any, float] | None = None, **options: Any) -> Built:
    """A tourbillon of digits; `groups` are those that learn."""
    groups = options.pop("groups", None)

    def make(sizes: tuple[int, ...], **options: Any) -> tuple[Circuit, Protocol]:
        circuit, protocol = tourbillon(sizes, **options)
        return circuit, replace(protocol, groups=groups)

    label = "-".join(["tourbillon", *(str(options[k]) for k in ("rule", "channel", "loss") if k in options)])
    return Built(label, make, sizes, tuple(options.items()), tuple((numbers or {}).items()))


def nest(
    sizes: tuple[int, ...] = (64, 7, 64),
    cores: tuple[int, ...] = (4,),
    numbers: dict[Any, float] | None = None,
    **options: Any,
) -> Built:
    """A tourbillon of tourbillons of digits."""
    label = f"nest of {len(cores)}"
    return Built(label, nested_autoencoder, sizes, (("cores", cores), *options.items()), tuple((numbers or {}).items()))


def together(settings: Sequence[Setting | Built]) -> dict[Any, Any]:
    """The parameters of settings that share a circuit, one value for each replica."""
    each = [s.parameters() for s in settings]
    assert all(parameters.keys() == each[0].keys() for parameters in each)
    return {key: [parameters[key] for parameters in each] for key in each[0]}


def read_by(circuit: Circuit, given: dict[Any, Any]) -> dict[Any, Any]:
    """The parameters that a circuit reads; settings give rates to biases too, whether there are any or not."""
    reads = readable(circuit)
    every = set[str]().union(*reads.values())
    return {k: v for k, v in given.items() if (k[1] in reads.get(k[0], ()) if isinstance(k, tuple) else k in every)}


def simulator(settings: Sequence[Setting | Built], seeds: Sequence[int] | None = None, **options: Any) -> Simulator:
    """A simulator in double precision with one replica for each setting, its biases drawn, and the digits in use.

    `delay` and `window` go to the circuit, `protocol` has what is different in the protocol; `longest` gives each
    projection a delay of its own, 1 to `longest`.
    """
    first = next((s for s in settings if s.max_norm is not None), settings[0])
    circuit, protocol = first.described(**{k: options.pop(k) for k in ("delay", "window") if k in options})
    circuit = with_delays(circuit, options.pop("longest", None))
    protocol = replace(protocol, **options.pop("protocol", {}))
    seeds = list(range(len(settings))) if seeds is None else seeds
    chosen = {"batch": 16, "dtype": "float64", "parameters": together(settings), **options}
    chosen["parameters"] = read_by(circuit, chosen["parameters"])
    made = Simulator(circuit, protocol, seeds=seeds, **chosen)
    for name, tensor in made.tensors().items():
        if name.endswith("bias"):
            number = int(name[1]) if name[1].isdigit() else ord(name[0])
            drawn = [np.random.default_rng([seed, number]).normal(size=tensor.shape[1]) for seed in seeds]
            made.load(name, 0.3 * np.array(drawn))
    made.use(digits()[:, : settings[0].sizes[0]], classes() if circuit.labels else None)
    if firing := firing_given(circuit).values():
        random, shapes = np.random.default_rng(9), {n: (40, made.batch, circuit.population(n).size) for n in firing}
        made.use_noise({name: random.normal(size=shape) for name, shape in shapes.items()})
    return made


def with_delays(circuit: Circuit, longest: int | None) -> Circuit:
    """The circuit with a random delay, 1 to `longest` ticks, for each projection; None: as it is."""
    if longest is None:
        return circuit
    ticks = np.random.default_rng(longest).integers(1, longest + 1, len(circuit.projections)).tolist()
    return replace(
        circuit, projections=tuple(replace(q, delay=d) for q, d in zip(circuit.projections, ticks, strict=True))
    )


def weights_of(made: Simulator, replica: int = 0) -> Tensors:
    """A copy of one replica's weights and biases, in double precision."""
    return {name: tensor[replica].astype(np.float64) for name, tensor in made.tensors().items()}


def presentations(count: int, *, seed: int = 0, largest: int = 16) -> list[np.ndarray]:
    """Rows of digits, every third batch a short one."""
    random = np.random.default_rng(seed)
    return [random.integers(0, len(digits()), 5 if k % 3 == 2 else largest) for k in range(count)]


def train(made: Simulator, rows: Sequence[np.ndarray]) -> Simulator:
    """Show the batches one after the other."""
    for chosen in rows:
        made.present(chosen)
    return made


def distance(found: Tensors, expected: Tensors) -> float:
    """The largest difference of any tensor, relative to the tensor's largest number."""
    assert found.keys() == expected.keys()
    sizes = {name: np.abs(tensor).max() or 1.0 for name, tensor in expected.items()}
    return max(float(np.abs(found[name] - expected[name]).max() / sizes[name]) for name in expected)
