"""What every backend must satisfy: the functions of the reference, and on any input what the reference makes of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import handwritten
import numpy as np
import pytest
import standin
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitsim.circuit.parts import ACTIVATIONS
from circuitsim.errors import ConfigError
from circuitsim.kernels import BACKENDS, backend, reference, reference_synapses

SMOOTH = [name for name in ACTIVATIONS if name != "softmax"]
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
each_backend = pytest.mark.parametrize("kernels", standin.each("numba", "cupy"), indirect=True)
all_backends = pytest.mark.parametrize("kernels", standin.each(*BACKENDS), indirect=True)
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE)
modest = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
SHAPES = [(1, 1), (3, 3), (3, 1)]  # replicas, and the leading axis of what may be shared


@pytest.fixture(scope="module")
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    """The module of a backend."""
    return backend(request.param)


class Draw:
    """Random arrays of one type: numbers of all sizes, some of them exactly zero or one."""

    def __init__(self, seed: int, dtype: str) -> None:
        self.random, self.dtype = np.random.default_rng(seed), np.dtype(dtype)

    def __call__(self, *shape: int, size: float = 1.0) -> np.ndarray:
        drawn = self.random.normal(0, size, shape)
        special = self.random.choice([0.0, 1.0, -1.0], shape)
        return np.where(self.random.random(shape) < 0.2, special, drawn).astype(self.dtype)

    def flags(self, count: int) -> np.ndarray:
        return self.random.random(count) < 0.7


def same(kernels: ModuleType, function: str, arrays: dict[str, Any], dtype: str, *alias: tuple[str, str]) -> None:
    """Bind and run on copies, twice: every array must come out alike. `alias` names arguments that are one array."""
    results = []
    for module in (reference, kernels):
        copies = {name: copied(value) for name, value in arrays.items()}
        copies |= {second: copies[first] for first, second in alias}
        step = getattr(module, function)(**copies)
        step()
        once = {name: copied(value) for name, value in copies.items()}
        step()
        results.append((once, copies))
    for expected, found in zip(*results, strict=True):
        for name in arrays:
            close(found[name], expected[name], TOLERANCE[dtype], f"{function}, {name}")


def copied(value: Any) -> Any:
    if isinstance(value, list):
        return [copied(part) for part in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def close(found: Any, expected: Any, tolerance: float, what: str) -> None:
    if isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            close(one, other, tolerance, what)
    elif isinstance(expected, np.ndarray) and expected.dtype.kind == "O":
        assert found.tolist() == expected.tolist()
    elif isinstance(expected, np.ndarray):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=what)
        assert found.dtype == expected.dtype


# ------------------------------------------------------------------------------------------------- the same module


def functions(module: ModuleType) -> dict[str, Any]:
    """The kernels of a backend and how they are called: those of the reference, and what the module has beside."""
    found = [(n, f, of) for of in (reference, module) for n, f in vars(of).items() if inspect.isfunction(f)]
    homes = {reference.__name__: (reference.__name__, reference_synapses.__name__)}
    own = {name for name, function, of in found if function.__module__ in homes.get(of.__name__, (of.__name__,))}
    return {name: inspect.signature(vars(module)[name]) for name in own if not name.startswith("_")}


@each_backend
def test_every_backend_has_the_same_functions(kernels: ModuleType) -> None:
    assert functions(kernels) == functions(reference)
    assert sorted(functions(reference)) == [
        "accumulate", "activate", "add", "apply", "bound", "centre", "clear", "deliver", "deliver_signed", "fuse",
        "gather", "guard", "hinge", "magnitudes", "mask", "mix", "mix_error", "multiply", "noise", "normalise",
        "on_host", "one_hot", "outer", "refresh", "retain", "silence", "subtract", "to_host",
    ]  # fmt: skip
    assert kernels.COMPILED and not reference.COMPILED and kernels.NAME in BACKENDS


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"backend: got 'jax'; expected one of numpy, numba, cupy\. Choose one of these\."
    ):
        backend("jax")


# ------------------------------------------------------------------------------------------------ against the reference


@each_backend
@each_dtype
@modest
@given(seed=seeds, shape=st.sampled_from(SHAPES))
def test_gather_and_deliver(kernels: ModuleType, dtype: str, seed: int, shape: tuple[int, int]) -> None:
    draw, (replicas, leading) = Draw(seed, dtype), shape
    x, rows = draw(9, 4), draw.random.integers(0, 9, (leading, 5))
    same(kernels, "gather", {"x": x, "rows": rows, "out": draw(leading, 5, 4)}, dtype)
    for kind in (np.uint8, np.int32, np.int64):  # as classes come in files
        y = draw.random.integers(0, 4, 9).astype(kind)
        same(kernels, "one_hot", {"y": y, "rows": rows, "out": draw(leading, 5, 4)}, dtype)
    for accumulate in (False, True):
        arrays = {"emitted": draw(leading, 5, 4), "across": draw(replicas, 4, 3), "arriving": draw(replicas, 5, 3)}
        same(kernels, "deliver", arrays | {"accumulate": accumulate}, dtype)
        turned = draw(replicas, 3, 4).transpose(0, 2, 1)
        same(kernels, "deliver", arrays | {"across": turned, "accumulate": accumulate}, dtype)
        arrays |= {"magnitude": draw(replicas, 3, 4), "other": arrays.pop("across")}
        same(kernels, "deliver_signed", arrays | {"accumulate": accumulate}, dtype)


@each_backend
@each_dtype
@pytest.mark.parametrize("name", ACTIVATIONS)
@modest
@given(seed=seeds, replicas=st.sampled_from([1, 3]), size=st.sampled_from([1.0, 30.0, 1e4]))
def test_activate(kernels: ModuleType, dtype: str, name: str, seed: int, replicas: int, size: float) -> None:
    draw, shape = Draw(seed, dtype), (replicas, 5, 4)
    for biases in ([], [draw(replicas, 4)], [draw(replicas, 4), draw(replicas, 4)]):
        arrays = {"arriving": draw(*shape, size=size), "biases": biases, "out": draw(*shape), "slope": draw(*shape)}
        given = {"name": name, **arrays}
        if name == "softmax":
            given["slope"] = None
        same(kernels, "activate", given, dtype)
        same(kernels, "activate", given, dtype, ("arriving", "out"))
        same(kernels, "activate", given | {"slope": None}, dtype)
        same(kernels, "activate", given | {"slope": None}, dtype, ("arriving", "out"))


@each_backend
@each_dtype
@modest
@given(seed=seeds, shape=st.sampled_from(SHAPES))
def test_products_over_the_batch(kernels: ModuleType, dtype: str, seed: int, shape: tuple[int, int]) -> None:
    draw, (replicas, leading) = Draw(seed, dtype), shape
    for pre in (draw(leading, 5, 4), np.ones((1, 5, 1), dtype)):
        target = draw(replicas, 3, pre.shape[2])
        same(kernels, "outer", {"post": draw(replicas, 5, 3), "pre": pre, "target": target}, dtype)
        same(kernels, "outer", {"post": draw(leading, 5, 3), "pre": pre, "target": target}, dtype)


@each_backend
@each_dtype
@modest
@given(seed=seeds, shape=st.sampled_from(SHAPES))
def test_mixtures(kernels: ModuleType, dtype: str, seed: int, shape: tuple[int, int]) -> None:
    draw, (replicas, leading) = Draw(seed, dtype), shape
    some = np.where(draw.flags(replicas), draw.random.random(replicas), 0).astype(dtype)
    for coefficient in (some, np.zeros(replicas, dtype), np.ones(replicas, dtype)):
        held, computed, out = draw(leading, 5, 4), draw(replicas, 5, 4), draw(replicas, 5, 4)
        arrays = {"coefficient": coefficient, "held": held, "computed": computed, "out": out}
        same(kernels, "mix", arrays, dtype)
        same(kernels, "mix", arrays, dtype, ("computed", "out"))
        arrays["returned"] = arrays.pop("computed")
        same(kernels, "mix_error", arrays, dtype)


@each_backend
@each_dtype
@modest
@given(seed=seeds, shape=st.sampled_from(SHAPES))
def test_differences_and_gates(kernels: ModuleType, dtype: str, seed: int, shape: tuple[int, int]) -> None:
    draw, (replicas, leading) = Draw(seed, dtype), shape
    one, other, out = draw(leading, 5, 4), draw(replicas, 5, 4), draw(replicas, 5, 4)
    same(kernels, "subtract", {"target": one, "actual": other, "out": out}, dtype)
    same(kernels, "multiply", {"first": other, "second": one, "out": out}, dtype)
    same(kernels, "centre", {"out": out}, dtype)
    target = (draw.random.integers(0, 4, (leading, 5, 1)) == np.arange(4)).astype(dtype)
    arrays = {"target": target, "summed": draw(replicas, 5, 4), "margin": np.abs(draw(replicas)), "out": out}
    same(kernels, "hinge", arrays, dtype)


@each_backend
@each_dtype
@pytest.mark.parametrize("learns", [True, False])
@modest
@given(seed=seeds, replicas=st.sampled_from([1, 3]))
def test_normalisation(kernels: ModuleType, dtype: str, learns: bool, seed: int, replicas: int) -> None:
    draw, shape = Draw(seed, dtype), (replicas, 5, 6)
    arrays = {"arriving": draw(*shape), "running": [draw(replicas, 6), np.abs(draw(replicas, 6))]}
    made = [draw(*shape), draw(*shape), draw(*shape)]
    online = arrays | {"numbers": (0.9, 0.1, 1.0), "made": made, "learns": learns}
    same(kernels, "normalise_online", online, dtype)
    error = {"error": draw(*shape), "kept": [draw(*shape), draw(*shape)], "out": draw(*shape)}
    sums = {"running": [draw(replicas, 6), draw(replicas, 6)], "numbers": (0.9, 1.0), "learns": learns}
    same(kernels, "through_online", error | sums, dtype)
    same(kernels, "through_online", error | sums, dtype, ("error", "out"))
    for units in (1, 2, 6):
        few = {"running": [draw(replicas, units), np.abs(draw(replicas, units))], "made": made[:2]}
        same(kernels, "normalise_batch", arrays | few | {"numbers": (0.9, 0.1), "learns": learns}, dtype)
        same(kernels, "through_batch", error | {"units": units, "learns": learns}, dtype, ("error", "out"))
        numbers = units, 0.2, 1.0
        groups = {"arriving": arrays["arriving"], "numbers": numbers, "made": made[:2]}
        same(kernels, "normalise_groups", groups, dtype)
        scale = np.repeat(np.abs(draw(replicas, 5, units)) + draw.dtype.type(0.5), 6 // units, axis=2)
        positive = error | {"kept": [draw(*shape), scale]}
        same(kernels, "through_groups", positive | {"numbers": numbers}, dtype, ("error", "out"))


@each_backend
@each_dtype
@pytest.mark.parametrize("gaussian", [True, False])
def test_noise(kernels: ModuleType, dtype: str, gaussian: bool) -> None:
    draw, tick = Draw(0, dtype), np.zeros(1, np.int64)
    seeds = np.array([3, 10**30, 3], object)
    given = {"seeds": seeds, "name": "n", "tick": tick, "scale": np.abs(draw(3)), "out": draw(3, 5, 4)}
    same(kernels, "noise", given | {"gaussian": gaussian}, dtype)


@each_backend
@each_dtype
@modest
@given(seed=seeds, replicas=st.sampled_from([1, 3]), shape=st.sampled_from([(4,), (4, 3)]))
def test_apply(kernels: ModuleType, dtype: str, seed: int, replicas: int, shape: tuple[int, ...]) -> None:
    draw = Draw(seed, dtype)
    rates = {"rate": draw(replicas), "momentum": draw.random.random(replicas).astype(dtype)}
    rates["decay"] = np.where(draw.flags(replicas), draw.random.random(replicas), 0).astype(dtype)
    arrays = {"weight": draw(replicas, *shape), "increment": draw(replicas, *shape), "velocity": draw(replicas, *shape)}
    given = arrays | rates | {"scale": 1 / 7, "alive": draw.flags(replicas)}
    same(kernels, "apply", given, dtype)
    same(kernels, "apply", given | {"velocity": None}, dtype)
    same(kernels, "apply", given | {"velocity": None, "momentum": None}, dtype)


@each_backend
@each_dtype
@modest
@given(seed=seeds, replicas=st.sampled_from([1, 3]), biased=st.booleans(), several=st.booleans())
def test_bound(kernels: ModuleType, dtype: str, seed: int, replicas: int, biased: bool, several: bool) -> None:
    draw = Draw(seed, dtype)
    weights = [draw(replicas, 4, 3), *([draw(replicas, 4, 5)] if several else [])]
    weights[0][:, 0] = 0
    biases = [draw(replicas, 4)] if biased else []
    for limit in (np.full(replicas, np.inf), np.abs(draw(replicas)), np.full(replicas, 1e-3)):
        given = {"weights": weights, "biases": biases, "limit": limit.astype(dtype), "alive": draw.flags(replicas)}
        same(kernels, "bound", given, dtype)


@each_backend
@each_dtype
@modest
@given(seed=seeds, replicas=st.sampled_from([1, 3]))
def test_masks_and_norms(kernels: ModuleType, dtype: str, seed: int, replicas: int) -> None:
    draw = Draw(seed, dtype)
    weight, alive = draw(replicas, 4, 3), draw.flags(replicas)
    same(kernels, "mask", {"weight": weight, "kept": draw.random.random((replicas, 4, 3)) < 0.5}, dtype)
    for size in (1, 1e-3, 1e3):
        same(kernels, "normalise", {"weight": (size * weight).astype(dtype), "alive": alive}, dtype)
    same(kernels, "normalise", {"weight": np.zeros_like(weight), "alive": alive}, dtype)


@each_backend
@each_dtype
@modest
@given(seed=seeds, replicas=st.sampled_from([1, 3]), shape=st.sampled_from([(4,), (4, 3)]))
def test_accumulate(kernels: ModuleType, dtype: str, seed: int, replicas: int, shape: tuple[int, ...]) -> None:
    draw = Draw(seed, dtype)
    arrays = {"increment": draw(replicas, *shape), "pending": draw(replicas, *shape), "scale": 1 / 7}
    same(kernels, "accumulate", arrays | {"alive": draw.flags(replicas)}, dtype)
    same(kernels, "add", {"more": arrays["increment"], "out": arrays["pending"]}, dtype)
    same(kernels, "clear", {"pending": arrays["pending"], "due": draw.flags(replicas)}, dtype)


@each_backend
@each_dtype
@modest
@given(seed=seeds, shape=st.sampled_from(SHAPES), batch=st.sampled_from([1, 3, 5]))
def test_retain(kernels: ModuleType, dtype: str, seed: int, shape: tuple[int, int], batch: int) -> None:
    """Also the places of a short batch, which do not follow each other in memory; others stay as they are."""
    draw, (replicas, leading) = Draw(seed, dtype), shape
    fired, alive, kept = draw(leading, batch, 4), draw.flags(replicas), draw(replicas, 5, 4)
    found = [kept.copy(), kept.copy()]
    for module, memory in zip((reference, kernels), found, strict=True):
        module.retain(fired, alive, memory[:, :batch])()
        module.to_host([memory])
    assert np.array_equal(*found)
    expected = np.where(alive[:, None, None], fired, kept[:, :batch])
    assert np.array_equal(found[0][:, :batch], expected) and np.array_equal(found[0][:, batch:], kept[:, batch:])


@all_backends
@each_dtype
def test_guards_watch_replicas_that_are_alive(kernels: ModuleType, dtype: str) -> None:
    for shape in ((2, 4), (2, 4, 3)):
        increments, limit, alive = np.ones(shape, dtype), np.full(1, 50.0), np.array([True, True])
        seen: list[np.ndarray] = []
        step = kernels.guard(increments, limit, alive, seen.append)
        step()
        assert not seen
        for bad in (np.nan, -np.inf, 60.0):
            increments[1, 2] = bad
            step()
            alive[1] = False
            step()
            alive[1] = True
        assert len(seen) == 3 and all(found is increments for found in seen)
        limit[0] = 1e3  # it may change
        step()
        assert len(seen) == 3


@each_backend
@each_dtype
@modest
@given(seed=seeds, replicas=st.sampled_from([1, 3]), count=st.integers(0, 12))
def test_refresh_and_magnitudes(kernels: ModuleType, dtype: str, seed: int, replicas: int, count: int) -> None:
    draw = Draw(seed, dtype)
    weight, alive = draw(replicas, 4, 3), draw.flags(replicas)
    every = draw.random.choice([1, 2, 3, np.inf], replicas).astype(dtype)
    given = {"other": draw(replicas, 4, 3), "count": np.array([count]), "every": every}
    same(kernels, "refresh", given | {"weight": weight, "alive": alive}, dtype)
    drawn = {"seeds": np.array([3, 10**30, 3][:replicas], object), "tick": np.array([count]), "name": "m"}
    same(kernels, "magnitudes", drawn | {"weight": weight, "limit": 0.5, "alive": alive}, dtype)


# -------------------------------------------------------------------------------------------- against what is known


def fired(kernels: ModuleType, name: str, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Activity and slope of a row of summed inputs."""
    arriving, out, slope = (
        s.reshape(1, 1, -1).copy(),
        np.empty((1, 1, s.size), s.dtype),
        np.empty((1, 1, s.size), s.dtype),
    )
    kernels.activate(name, arriving, [], out, None if name == "softmax" else slope)()
    return out[0, 0], slope[0, 0]


@all_backends
@pytest.mark.parametrize("name", SMOOTH)
def test_slopes_are_derivatives(kernels: ModuleType, name: str) -> None:
    s = np.linspace(-3.01, 3.02, 41)  # away from the kinks at -2, -1, 0, 1 and 2
    assert np.abs(s[:, None] - [-2, -1, 0, 1, 2]).min() > 1e-3
    up, down = (fired(kernels, name, s + step)[0] for step in (1e-5, -1e-5))
    np.testing.assert_allclose(fired(kernels, name, s)[1], (up - down) / 2e-5, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fired(kernels, name, s)[1], handwritten.derivative(name, s), rtol=1e-12, atol=1e-14)


@all_backends
@each_dtype
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_extreme_inputs(kernels: ModuleType, dtype: str, name: str) -> None:
    s = np.array([-1e4, -100, -1, 0, 1, 100, 1e4], dtype)
    with np.errstate(all="raise", under="ignore"):
        out, slope = fired(kernels, name, s)
    np.testing.assert_allclose(out, handwritten.activation(name, s[None].astype(float))[0], rtol=2e-6, atol=1e-30)
    assert np.isfinite(out).all() and out.dtype == s.dtype
    if name != "softmax":
        assert np.isfinite(slope).all() and (slope >= 0).all()


@all_backends
@each_dtype
def test_kinks(kernels: ModuleType, dtype: str) -> None:
    eps = np.finfo(dtype).eps
    s = np.array([-1 - 2 * eps, -1, 1, 1 + 2 * eps, 0.0, -0.0, np.finfo(dtype).tiny], dtype)
    assert fired(kernels, "saturated", s)[1].tolist() == [0, 1, 1, 0, 1, 1, 1]
    assert fired(kernels, "saturated", s)[0][:4].tolist() == [-1, -1, 1, 1]
    assert fired(kernels, "relu", s)[1].tolist() == [0, 0, 1, 1, 0, 0, 1]
    assert fired(kernels, "saturated-half", 2 * s)[1].tolist() == [0, 0.5, 0.5, 0, 0.5, 0.5, 0.5]
    assert fired(kernels, "saturated-half", 2 * s)[0][:4].tolist() == [-1, -1, 1, 1]


@all_backends
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_stays_so(kernels: ModuleType, name: str, bad: float) -> None:
    s = np.array([0.5, bad, -0.5])
    with np.errstate(all="ignore"):
        out, _ = fired(kernels, name, s)
        expected = handwritten.activation(name, s[None])[0]
    assert np.array_equal(np.isnan(out), np.isnan(expected))
    assert np.isnan(out[1]) or not np.isnan(bad)


@all_backends
def test_classes_become_indicators(kernels: ModuleType) -> None:
    out = np.full((2, 3, 4), np.nan)
    kernels.one_hot(np.array([3, 0, 1]), np.array([[0, 1, 2], [2, 2, 0]]), out)()
    assert np.array_equal(out, np.eye(4)[[[3, 0, 1], [1, 1, 3]]])


@all_backends
def test_signs_of_one_array_and_magnitudes_of_another(kernels: ModuleType) -> None:
    emitted, arriving = np.array([[[1.0, 10.0]]]), np.array([[[100.0]]])
    magnitude, other = np.array([[[-2.0, 3.0]]]), np.array([[[0.1], [-5.0]]])
    kernels.deliver_signed(emitted, magnitude, other, arriving, accumulate=True)()
    assert arriving.item() == 100 + 2 - 30
    other[0, 0] = 0  # no sign, no signal; and what is bound is looked at each time
    kernels.deliver_signed(emitted, magnitude, other, arriving, accumulate=False)()
    assert arriving.item() == -30


@all_backends
def test_what_a_margin_asks_for(kernels: ModuleType) -> None:
    """At the margins themselves nothing is wrong any more."""
    summed = np.array([[0.9, 1.0, 1.1], [-0.4, -0.5, -0.6]]).T[None]  # three examples of two neurons
    target, out = np.array([1.0, 0.0]) * np.ones((1, 3, 2)), np.empty((1, 3, 2))
    kernels.hinge(target, summed, np.array([0.5]), out)()
    assert out[0].tolist() == [[1, -1], [0, 0], [0, 0]]
    wide = np.empty((1, 1, 5))
    kernels.hinge(np.eye(5)[None, :1], np.zeros((1, 1, 5)), np.array([1.0]), wide)()
    assert wide[0, 0].tolist() == [1, -0.25, -0.25, -0.25, -0.25]


@all_backends
def test_centred_activity_has_no_mean(kernels: ModuleType) -> None:
    out = np.array([[[1.0, 5.0], [3.0, 5.0]], [[0.0, -1.0], [1.0, -2.0]]])
    kernels.centre(out)()
    assert out.tolist() == [[[-1, 0], [1, 0]], [[-0.5, 0.5], [0.5, -0.5]]]


@all_backends
@pytest.mark.parametrize("gaussian", [True, False])
def test_noise_is_keyed(kernels: ModuleType, gaussian: bool) -> None:
    """By seed, name and tick, and by nothing else; its scale is the standard deviation or the half-width."""

    def drawn(seed: int, name: str = "n", tick: int = 5) -> np.ndarray:
        out = np.empty((1, 100, 50))
        kernels.noise(np.array([seed], object), name, np.array([tick]), np.array([0.5]), out, gaussian=gaussian)()
        return out

    first = drawn(1)
    assert np.array_equal(first, drawn(1))
    for other in (drawn(2), drawn(1, "m"), drawn(1, tick=6)):
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.06
    assert abs(first.mean()) < 0.02
    if gaussian:
        assert abs(first.std() - 0.5) < 0.01 and np.abs(first).max() > 1
    else:
        assert abs(first.std() - 0.5 / np.sqrt(3)) < 0.01 and np.abs(first).max() <= 0.5


@all_backends
def test_magnitudes_are_keyed(kernels: ModuleType) -> None:
    """By seed, name and tick, and by nothing else; uniform from 0 to the limit."""

    def drawn(seed: int, name: str = "m", tick: int = 5) -> np.ndarray:
        w, on = np.full((1, 90, 60), np.nan), np.array([True])
        kernels.magnitudes(np.array([seed], object), np.array([tick]), name, w, 0.2, on)()
        return w[0]

    first = drawn(1)
    assert np.array_equal(first, drawn(1))
    for other in (drawn(2), drawn(1, "n"), drawn(1, tick=6)):
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.06
    assert first.min() >= 0 and 0.199 < first.max() <= 0.2
    assert abs(first.mean() - 0.1) < 0.002


@all_backends
def test_copies_are_taken_over_at_multiples(kernels: ModuleType) -> None:
    """Of each replica's own number, from the first count on; and of what lies there at that moment."""
    other, w, count = np.arange(18.0).reshape(3, 3, 2), np.zeros((3, 3, 2)), np.zeros(1, np.int64)
    take_over = kernels.refresh(other, count, np.array([1.0, 3.0, np.inf]), w, np.ones(3, bool))
    taken: list[list[int]] = [[], [], []]
    for now in range(8):
        count[0] = now
        other += 100
        before = other.copy()
        take_over()
        for r in range(3):
            if np.array_equal(w[r], before[r]):
                taken[r].append(now)
    assert taken == [list(range(8)), [0, 3, 6], [0]]


@all_backends
def test_increments_add_up(kernels: ModuleType) -> None:
    dw, waiting = np.array([[[1.0, -2.0]]]), np.array([[[10.0, 20.0]]])
    add = kernels.accumulate(dw, waiting, 0.5, np.array([True]))
    add()
    dw[...] = 8
    add()
    assert waiting[0].tolist() == [[14.5, 23]] and (dw == 8).all()


@all_backends
def test_weights_shrink_and_absent_ones_are_zero(kernels: ModuleType) -> None:
    w, v, on = np.full((1, 2, 2), 8.0), np.zeros((1, 2, 2)), np.array([True])
    dw, decay, none = np.ones((1, 2, 2)), np.array([0.25]), np.zeros(1)
    kernels.apply(w, dw, v, np.array([2.0]), none, decay, 0.5, on)()
    assert (w == 8 + 2 * 0.5 - 2).all() and (v == 0.5).all()  # what decays is not in the velocity
    kernels.mask(w, np.array([[[True, False], [False, True]]]))()
    assert w[0].tolist() == [[7, 0], [0, 7]]
    kernels.normalise(w, on)()
    assert np.allclose(w[0], np.eye(2) / np.sqrt(2), rtol=1e-15)


@all_backends
@pytest.mark.parametrize("function", [
    "mix", "mix_error", "subtract", "multiply", "deliver", "deliver_signed", "apply", "centre", "hinge", "mask",
    "normalise", "accumulate", "refresh",
])  # fmt: skip
def test_nothing_hides_what_is_not_a_number(kernels: ModuleType, function: str) -> None:
    """Except a mixture's coefficient of zero, which takes the computed value as it is."""
    a, b, out = np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.zeros((1, 2, 2))
    a[0, 0, 1] = np.nan
    half, on, kept, itself = np.array([0.5]), np.array([True]), np.array([[[True, False], [True, True]]]), a.copy()
    steps: dict[str, Callable[[], Any]] = {
        "mix": lambda: kernels.mix(half, a, b, out),
        "mix_error": lambda: kernels.mix_error(half, a, b, out),
        "subtract": lambda: kernels.subtract(a, b, out),
        "multiply": lambda: kernels.multiply(a, b, out),
        "deliver": lambda: kernels.deliver(a, b, out, accumulate=True),
        "deliver_signed": lambda: kernels.deliver_signed(a, b, b, out, accumulate=True),
        "apply": lambda: kernels.apply(out, a, None, half, None, half, 1.0, on),
        "centre": lambda: kernels.centre(itself),
        "hinge": lambda: kernels.hinge(b, a, half, out),
        "mask": lambda: kernels.mask(itself, kept),
        "normalise": lambda: kernels.normalise(itself, on),
        "accumulate": lambda: kernels.accumulate(a, out, 1.0, on),
        "refresh": lambda: kernels.refresh(a, np.zeros(1, int), half * 2, out, on),
    }
    steps[function]()()
    found = itself if function in ("centre", "mask", "normalise") else out
    assert np.isnan(found[0, 0, 1]) and not np.isnan(found[0, 1, 0])
    for magnitude, other in ((a, b), (b, a)):  # neither the size nor the sign of a weight
        kernels.deliver_signed(b, magnitude, other, out, accumulate=False)()
        assert np.isnan(out).any()
    kernels.mix(np.array([0.0]), a, b, out)()
    assert np.array_equal(out, b)


@all_backends
def test_a_replica_that_is_not_alive_is_left_alone(kernels: ModuleType) -> None:
    w, v, dw = np.full((2, 3, 4), 2.0), np.ones((2, 3, 4)), np.ones((2, 3, 4))
    dw[0] = np.nan
    alive, one = np.array([False, True]), np.ones(2)
    for momentum in (one / 2, None):
        kernels.apply(w, dw, None if momentum is None else v, one, momentum, one / 4, 0.5, alive)()
        assert (w[0] == 2).all() and (v[0] == 1).all() and (v[1] == 1).all()
        assert (w[1] == (2.5 if momentum is not None else 0.75 * 2.5 + 0.5)).all()
    kernels.normalise(w, alive)()
    assert (w[0] == 2).all() and np.allclose(np.linalg.norm(w[1]), 1)
    w[1] = 2
    kernels.bound([w], [], one, alive)()
    assert (w[0] == 2).all() and np.allclose(np.linalg.norm(w[1], axis=1), 1)
    v[...] = 1
    kernels.accumulate(dw, v, 0.5, alive)()
    assert (v[0] == 1).all() and (v[1] == 1.5).all()
    kernels.refresh(np.full((2, 3, 4), 7.0), np.zeros(1, np.int64), one, w, alive)()
    assert (w[0] == 2).all() and (w[1] == 7).all()
    kernels.magnitudes(np.array([0, 0], object), np.zeros(1, np.int64), "m", w, 0.5, alive)()
    assert (w[0] == 2).all() and (w[1] < 1).all()
