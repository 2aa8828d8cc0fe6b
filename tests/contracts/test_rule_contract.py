"""What every rule must satisfy: mapped slowly, mapped over arrays and lowered, it proposes the same increments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standin
from sample_rules import ALL, ENGINE, OWN, PRODUCTS, clipped, local_rule, oja, tanh

from circuitsim.kernels import BACKENDS, backend, reference, sources
from circuitsim.kernels.cpu import backend as cpu
from circuitsim.kernels.cpu.products import outer_kernel
from circuitsim.kernels.steps import flattened
from circuitsim.locality import Place
from circuitsim.lowering.compiler import lower
from circuitsim.lowering.mapped import RuleInputs
from circuitsim.rules import Rule

POST, PRE, BATCH = 3, 4, 5
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
COMPILED = [backend(name) for name in ("numba", "cupy") if name == "numba" or standin.missing() is None]
LEADING = [(1, 1, 1), (3, 3, 3), (3, 1, 3), (3, 3, 1), (3, 1, 1)]  # replicas; leading axes of pre and post
NAMES = [f"{rule.name}-{k}" for k, rule in enumerate(ALL)]


def operands(rule: Rule, quantity: str, leading: tuple[int, int, int], dtype: str, seed: int) -> RuleInputs:
    """Random activities, weights and parameters for all that a rule reads."""
    random = np.random.default_rng(seed)
    replicas, of_pre, of_post = leading

    def drawn(*shape: int) -> np.ndarray:
        return random.uniform(-1, 1, shape).astype(dtype)

    def memory(place: Place, replicas: int, size: int) -> dict[int | None, np.ndarray]:
        cycles = [r.cycle for r in rule.certificate.readings if r.place is place]
        return {cycle: drawn(replicas, BATCH, size) for cycle in cycles}

    reads = {r.place for r in rule.certificate.readings}
    shape = (replicas, POST, PRE) if quantity == "weight" else (replicas, POST)
    return RuleInputs(
        pre=memory(Place.PRE, of_pre, PRE) if quantity == "weight" else {},
        post=memory(Place.POST, of_post, POST),
        third=memory(Place.THIRD, of_post, POST),
        trace=drawn(replicas, BATCH, int(np.prod(shape[1:]))) if Place.TRACE in reads else None,
        synapse=drawn(*shape) if Place.SYNAPSE in reads else None,
        w_remote=drawn(replicas, PRE, POST).transpose(0, 2, 1) if Place.REMOTE in reads else None,  # a transposed view
        parameters={
            name: (value * random.uniform(0.5, 1.5, replicas)).astype(dtype) for name, value in rule.free.items()
        },
        batch=BATCH,
    )


def slowly(rule: Rule, quantity: str, given: RuleInputs, replicas: int) -> np.ndarray:
    """One synapse, one example, one Python float at a time."""
    pres = PRE if quantity == "weight" else 1
    out = np.zeros((replicas, POST, pres))

    def scalar(array: np.ndarray, r: int, *index: int) -> float:
        return float(array[min(r, len(array) - 1)][index])

    for r, i, j in np.ndindex(out.shape):
        parameters = {name: float(values[r]) for name, values in given.parameters.items()}
        where = (i, j) if quantity == "weight" else (i,)
        w = 0.3 if given.synapse is None else scalar(given.synapse, r, *where)
        for b in range(BATCH):
            out[r, i, j] += rule(
                lambda k: scalar(given.pre[k], r, b, j) if quantity == "weight" else 1.0,  # noqa: B023
                lambda k: scalar(given.post[k], r, b, i),  # noqa: B023
                w,
                0.3 if given.w_remote is None else scalar(given.w_remote, r, i, j),
                lambda k: scalar(given.third[k], r, b, i),  # noqa: B023
                0.3 if given.trace is None else scalar(given.trace, r, b, i * pres + j),
                **parameters,
            )
    return out if quantity == "weight" else out[:, :, 0]


def proposed(rule: Rule, quantity: str, given: RuleInputs, out: np.ndarray, kernels: Any) -> np.ndarray:
    """What a backend makes of it, in memory that held something else before; twice, as nothing may pile up."""
    out.fill(np.nan)
    step = lower(rule, quantity, given, out, kernels)
    step()
    first = out.copy()
    step()
    assert np.array_equal(first, out)
    return out


def precisions() -> list[Any]:
    """All rules in double precision; in single precision the engine's and a few more, and nightly the others."""
    always = [*ENGINE, *OWN[:4]]
    return [
        pytest.param(
            rule,
            dtype,
            id=f"{name}-{dtype}",
            marks=() if dtype == "float64" or rule in always else pytest.mark.nightly,
        )
        for rule, name in zip(ALL, NAMES, strict=True)
        for dtype in TOLERANCE
    ]


@pytest.mark.parametrize(("rule", "dtype"), precisions())
def test_slow_mapped_and_lowered_agree(rule: Rule, dtype: str) -> None:
    far = any(r.place is Place.REMOTE for r in rule.certificate.readings)  # a bias has no synapse elsewhere
    for seed, (quantity, leading) in enumerate((q, x) for q in ("weight", "bias")[: 1 if far else 2] for x in LEADING):
        given = operands(rule, quantity, leading, dtype, seed)
        expected = slowly(rule, quantity, given, leading[0])
        scale = TOLERANCE[dtype] * max(1.0, float(np.abs(expected).max()))
        for kernels in (reference, *COMPILED):
            own = replace(given, factors={})  # nothing that another has computed already
            found = proposed(rule, quantity, own, expected.astype(dtype), kernels)
            assert np.abs(found - expected).max() < scale, (quantity, leading, kernels.NAME)


def products(rule: Rule) -> int:
    """How many matrix products the lowered rule takes."""
    given = operands(rule, "weight", (1, 1, 1), "float64", 0)
    steps = flattened([lower(rule, "weight", given, np.empty((1, POST, PRE)), cpu)])
    return sum(step.kernel is outer_kernel for step in steps)


@pytest.mark.parametrize("rule", [*ENGINE, *OWN[:14], *OWN[15:]], ids=lambda rule: rule.name)
def test_the_cheapest_lowering_is_chosen(rule: Rule) -> None:
    assert products(rule) == PRODUCTS[rule.name]


@pytest.mark.parametrize("name", standin.each(*BACKENDS))
def test_what_is_not_a_number_is_not_hidden(name: str) -> None:
    """Neither by minimum and maximum nor by an exception from compiled code: the simulator must see it."""

    @local_rule
    def ratio(pre: Any, post: Any, w: Any) -> Any:
        return pre.at(0) / (w * post.at(0))

    for rule, bad in ((clipped, np.nan), (oja, np.nan), (ratio, 0.0)):
        given = operands(rule, "weight", (1, 1, 1), "float64", 0)
        given.post[0][0, 1, 2] = bad
        out = np.empty((1, POST, PRE))
        with np.errstate(all="ignore"):
            lower(rule, "weight", given, out, backend(name))()
        assert not np.isfinite(out[0, 2]).any() and np.isfinite(out[0, :2]).all(), rule.name


def test_kernels_are_compiled_in_memory_where_no_file_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "user_cache_path", lambda name: Path("/dev/null") / name)

    @local_rule
    def unique(pre: Any, post: Any, w: Any) -> Any:
        return tanh(pre.at(0) * post.at(0) + 0.123456789 * w)

    given = operands(unique, "weight", (1, 1, 1), "float64", 0)
    expected = slowly(unique, "weight", given, 1)
    assert np.allclose(proposed(unique, "weight", given, expected.copy(), cpu), expected, rtol=1e-12)


def test_a_kernel_file_that_was_spoiled_is_written_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "user_cache_path", lambda name: tmp_path / name)
    path = sources.written("good = 1\n", "kernel.py")
    assert path is not None and path.parent == tmp_path / "circuitsim" / "kernels"
    path.write_text("half")
    assert sources.written("good = 1\n", "kernel.py") == path and path.read_text() == "good = 1\n"
    assert [file.name for file in path.parent.iterdir()] == ["kernel.py"]
