"""Suite that every connectivity passes on every backend: its table of synapses is the specification."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sample_rules
import standin
from connectivities import FIXED, LEARNING, POOLS, Row
from running import nightly

from circuitsim import rules
from circuitsim.circuit.connectivity import Convolution, Dense, LocallyConnected, Table, size_of
from circuitsim.circuit.graph import Graph
from circuitsim.circuit.parts import Population, Projection
from circuitsim.errors import CircuitError
from circuitsim.kernels import BACKENDS, backend
from circuitsim.kernels.links import Links
from circuitsim.locality import Place
from circuitsim.lowering.compiler import lower
from circuitsim.lowering.links import bias_links, groups, in_rows, links, reversed_axes, used
from circuitsim.lowering.mapped import RuleInputs
from circuitsim.rules.rule import Rule

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
ALL = [*LEARNING, *(row.reversed() for row in LEARNING), *FIXED, *(row.reversed() for row in FIXED)]
TABLED = [row for row in ALL if not isinstance(row.connectivity, Dense)]
LEARNT = [row for row in [*LEARNING, *(row.reversed() for row in LEARNING)] if not isinstance(row.connectivity, Dense)]
KNOWN = {name: rule for name, rule in {**vars(rules), **vars(sample_rules)}.items() if isinstance(rule, Rule)}
# traces are of dense synapses alone
RULES = {name: rule for name, rule in KNOWN.items() if Place.TRACE not in {r.place for r in rule.certificate.readings}}
all_backends = pytest.mark.parametrize("kernels", standin.each(*BACKENDS), indirect=True)
compiled = pytest.mark.parametrize("kernels", standin.each("numba", "cupy"), indirect=True)
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def labels(rows: list[Row]) -> list[str]:
    return [row.label for row in rows]


@pytest.fixture(scope="module")
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    return backend(request.param)


def graph_of(row: Row, *, bias: bool = False) -> tuple[Graph, Projection]:
    q = Projection("q", "pre", "post", bias=bias, connectivity=row.connectivity)
    return Graph("g", (Population("pre", shape=row.pre), Population("post", shape=row.post)), (q,), "pre", "post"), q


def linked(row: Row) -> Links:
    return links(*graph_of(row))


def tensor(row: Row, draw: Callable[..., np.ndarray], replicas: int, dtype: str) -> np.ndarray:
    """Random weights that lie in memory as the engine keeps them."""
    _, q = graph_of(row)
    shape, axes = row.connectivity.tensor_shape(row.pre, row.post), reversed_axes(q)
    drawn, exists = draw((replicas, *shape)).astype(dtype), used(*graph_of(row))
    drawn *= True if exists is None else exists  # slots without a synapse have no weight
    if not axes:
        return drawn
    turned = (axes[0] + 1, axes[1] + 1)
    return drawn.swapaxes(*turned).copy().swapaxes(*turned)


def matrix(row: Row, weight: np.ndarray) -> np.ndarray:
    """The explicit matrix (post, pre) of one replica's weights, synapse by synapse."""
    found = np.zeros((size_of(row.post), size_of(row.pre)))
    for i, j, s in zip(*row.connectivity.synapses(row.pre, row.post), strict=True):
        found[i, j] += weight.ravel()[s]
    return found


@pytest.mark.parametrize("row", [*ALL, *POOLS], ids=labels([*ALL, *POOLS]))
def test_a_table_joins_neurons_that_exist_and_uses_slots_that_exist(row: Row) -> None:
    assert row.connectivity.problem(row.pre, row.post) == ""
    post, pre, slot = row.connectivity.synapses(row.pre, row.post)
    assert post.min() >= 0 and post.max() < size_of(row.post) and pre.min() >= 0 and pre.max() < size_of(row.pre)
    slots = size_of(row.connectivity.tensor_shape(row.pre, row.post))
    assert slot.min() >= 0 and slot.max() < slots
    assert len(set(zip(post, pre, slot, strict=True))) == len(slot), "each synapse once"
    assert row.connectivity.shared(row.pre, row.post) == (len(np.unique(slot)) < len(slot))


@pytest.mark.parametrize("row", [*ALL, *POOLS], ids=labels([*ALL, *POOLS]))
def test_a_transposed_table_has_the_same_synapses_and_returns(row: Row) -> None:
    back = row.reversed()
    assert back.reversed().connectivity == row.connectivity
    post, pre, slot = row.connectivity.synapses(row.pre, row.post)
    again = back.connectivity.synapses(back.pre, back.post)
    assert sorted(zip(post, pre, strict=True)) == sorted(zip(again.pre, again.post, strict=True))
    assert row.connectivity.fan(row.pre, row.post) == back.connectivity.fan(back.pre, back.post)[::-1]
    # slots read the other way are those of the tensor with its channel axes exchanged
    shape, axes = row.connectivity.tensor_shape(row.pre, row.post), row.connectivity.channel_axes
    numbers = np.arange(size_of(shape)).reshape(shape)
    turned = numbers.swapaxes(*axes) if axes else numbers
    assert turned.shape == back.connectivity.tensor_shape(back.pre, back.post)
    pairs = {(i, j): turned.ravel()[s] for i, j, s in zip(again.pre, again.post, again.slot, strict=True)}
    if not isinstance(row.connectivity, Dense):
        assert pairs == {(i, j): s for i, j, s in zip(post, pre, slot, strict=True)}


def test_shapes_of_tensors_are_those_of_the_interface() -> None:
    ends = (3, 9, 9), (8, 5, 5)
    assert Convolution((3, 2), 2).tensor_shape(*ends) == (8, 3, 3, 2)
    assert Convolution((3, 2), 2).transposed().tensor_shape(*ends[::-1]) == (3, 8, 3, 2)
    assert LocallyConnected((3, 2), 2).tensor_shape(*ends) == (5, 5, 8, 3, 3, 2)
    assert LocallyConnected((3, 2), 2).transposed().tensor_shape(*ends[::-1]) == (5, 5, 3, 8, 3, 2)
    assert Convolution(3).bias_shape((8, 5, 5)) == (8,)
    assert LocallyConnected(3).bias_shape((8, 5, 5)) == (8, 5, 5)


@all_backends
@each_dtype
@pytest.mark.parametrize("row", TABLED, ids=labels(TABLED))
def test_delivery_is_the_explicit_matrix(kernels: ModuleType, dtype: str, row: Row) -> None:
    rng = np.random.default_rng(0)
    for replicas, shared, accumulate in ((1, 1, False), (3, 3, True), (3, 1, True)):
        weight = tensor(row, lambda s: rng.normal(size=s), replicas, dtype)
        emitted = rng.normal(size=(shared, 4, size_of(row.pre))).astype(dtype)
        arriving = rng.normal(size=(replicas, 4, size_of(row.post))).astype(dtype)
        wanted = arriving * accumulate + np.stack(
            [emitted[min(r, shared - 1)].astype(float) @ matrix(row, weight[r]).T for r in range(replicas)]
        )
        kernels.deliver_along(linked(row), emitted, weight, arriving, accumulate=accumulate)()
        assert np.allclose(arriving, wanted, rtol=0, atol=20 * TOLERANCE[dtype])


@all_backends
@pytest.mark.parametrize("row", TABLED, ids=labels(TABLED))
def test_reading_backwards_is_the_adjoint(kernels: ModuleType, row: Row) -> None:
    """<y, W x> = <Wᵀ y, x>, with one tensor for both."""
    rng, back = np.random.default_rng(1), row.reversed()
    weight = tensor(row, lambda s: rng.normal(size=s), 1, "float64")
    axes = row.connectivity.channel_axes
    turned = weight.swapaxes(axes[0] + 1, axes[1] + 1) if axes else weight
    x, y = rng.normal(size=(1, 2, size_of(row.pre))), rng.normal(size=(1, 2, size_of(row.post)))
    up, down = np.zeros_like(y), np.zeros_like(x)
    kernels.deliver_along(linked(row), x, weight, up, accumulate=False)()
    kernels.deliver_along(linked(back), y, turned, down, accumulate=False)()
    assert np.allclose((y * up).sum(axis=2), (down * x).sum(axis=2), rtol=1e-12, atol=1e-12)


@all_backends
@each_dtype
@pytest.mark.parametrize("row", LEARNT, ids=labels(LEARNT))
def test_increments_are_sums_over_examples_and_synapses(kernels: ModuleType, dtype: str, row: Row) -> None:
    rng = np.random.default_rng(2)
    for replicas, shared in ((1, 1), (3, 3), (3, 1)):
        post = rng.normal(size=(replicas, 3, size_of(row.post))).astype(dtype)
        pre = rng.normal(size=(shared, 3, size_of(row.pre))).astype(dtype)
        target = tensor(row, np.ones, replicas, dtype)
        kernels.outer_along(linked(row), post, pre, in_rows(target) if kernels.COMPILED else target)()
        wanted = np.zeros(target.shape)
        for r, (i, j, s) in itertools.product(
            range(replicas), zip(*row.connectivity.synapses(row.pre, row.post), strict=True)
        ):
            wanted[r].ravel()[s] += (post[r, :, i].astype(float) * pre[min(r, shared - 1), :, j]).sum()
        assert np.allclose(target, wanted, rtol=0, atol=50 * TOLERANCE[dtype])


def inputs(row: Row, rule: Rule, dtype: str, weight: np.ndarray, remote: np.ndarray, seed: int = 5) -> RuleInputs:
    rng = np.random.default_rng(seed)
    of = {place: [r.cycle for r in rule.certificate.readings if r.place is place] for place in Place}

    def memory(cycles: list[int | None], shape: tuple[int, ...]) -> dict[int | None, np.ndarray]:
        return {c: rng.uniform(0.1, 1, (2, 3, size_of(shape))).astype(dtype) for c in cycles}

    return RuleInputs(
        pre=memory(of[Place.PRE], row.pre),
        post=memory(of[Place.POST], row.post),
        synapse=weight,
        w_remote=remote,
        parameters={name: np.full(2, value, dtype) for name, value in rule.free.items()},
        batch=3,
    )


EVERY_RULE = ("convolution", "untied, stride 2, reversed", "table")
ON_EVERY_ROW = ("recirculation", "oja", "decay")  # products alone, with a remainder, no activity


def rules_on_rows() -> list[Any]:
    """Return every rule with every row; most run nightly, but each rule and each row runs every day."""
    runs = []
    for row, name, dtype in itertools.product(LEARNT, RULES, TOLERANCE):
        if dtype == "float64" or row.label in EVERY_RULE:
            daily = name in ON_EVERY_ROW or (dtype == "float64" and row.label in EVERY_RULE)
            marks = () if daily else pytest.mark.nightly
            runs.append(pytest.param(name, dtype, row, id=f"{name}-{dtype}-{row.label}", marks=marks))
    return runs


@compiled
@pytest.mark.parametrize("name,dtype,row", rules_on_rows())
def test_every_rule_is_the_scalar_function_over_the_table(kernels: ModuleType, name: str, dtype: str, row: Row) -> None:
    rule, rng = RULES[name], np.random.default_rng(6)
    weight, remote = (tensor(row, lambda s: rng.uniform(0.1, 1, s), 2, dtype) for _ in range(2))
    found = []
    for module in (backend("numpy"), kernels):
        out = tensor(row, np.zeros, 2, dtype)
        lower(rule, "weight", inputs(row, rule, dtype, weight, remote), out, module, linked(row))()
        found.append(out)
    scale = max(1.0, np.abs(found[0]).max())
    assert np.abs(found[0]).max() > 0 or name in ("zero", "nothing")
    assert np.allclose(*found, rtol=0, atol=10 * scale * TOLERANCE[dtype])


@compiled
@pytest.mark.parametrize("dtype", ["float64", nightly("float32")])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_of_a_shared_bias_is_the_scalar_function(kernels: ModuleType, dtype: str, name: str) -> None:
    row, rule = next(row for row in LEARNING if row.label == "convolution"), RULES[name]
    if any(r.place is Place.REMOTE for r in rule.certificate.readings):
        pytest.skip("a bias has no remote synapse")
    found = []
    for module in (backend("numpy"), kernels):
        out, bias = np.zeros((2, 3), dtype), np.linspace(0.1, 1, 6).reshape(2, 3).astype(dtype)
        along = bias_links(*graph_of(row, bias=True))
        lower(rule, "bias", inputs(row, rule, dtype, bias, bias), out, module, along)()
        found.append(out)
    assert np.allclose(*found, rtol=0, atol=20 * max(1.0, np.abs(found[0]).max()) * TOLERANCE[dtype])


def by_hand(row: Row, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest of each window and its winners, tap by tap; winners as a set of taps in bits."""
    made = row.connectivity
    assert hasattr(made, "axes")
    down, across = made.axes(row.pre)
    y, won = np.zeros(row.post), np.zeros(row.post, np.int64)
    for c, p, q in np.ndindex(row.post):
        candidates = []
        for u, v in np.ndindex(down.taps, across.taps):
            i, j = p * down.stride + u - down.before, q * across.stride + v - across.before
            inside = 0 <= i < down.cells and 0 <= j < across.cells
            if inside or made.fill == "zero":
                candidates.append((x[c, i, j] if inside else 0.0, u * across.taps + v))
        most = max(value for value, _ in candidates)
        ties = [tap for value, tap in candidates if value == most]
        chosen = {"first": ties[:1], "last": ties[-1:], "all": ties}[made.ties]
        y[c, p, q], won[c, p, q] = most, sum(1 << tap for tap in chosen)
    return y, won


@all_backends
@pytest.mark.parametrize("row", POOLS, ids=labels(POOLS))
def test_a_pool_takes_the_largest_and_feedback_passes_through_the_winner(kernels: ModuleType, row: Row) -> None:
    rng = np.random.default_rng(8)
    x = rng.integers(-2, 3, (2, 3, size_of(row.pre))).astype("float64")  # many ties, and windows of negatives
    weight = np.ones((2, *row.connectivity.tensor_shape(row.pre, row.post)))
    y, winner = np.zeros((2, 3, size_of(row.post))), np.zeros((2, 3, size_of(row.post)), np.int64)
    kernels.largest(linked(row), x, weight, y, winner)()
    plain = np.zeros_like(y)
    kernels.largest(linked(row), x, weight, plain, None)()
    assert np.array_equal(plain, y)
    delta, arriving = rng.normal(size=y.shape), rng.normal(size=x.shape)
    wanted = arriving.copy()
    post, pre, tap = row.connectivity.synapses(row.pre, row.post)
    for r, b in np.ndindex(2, 3):
        highest, bits = by_hand(row, x[r, b].reshape(row.pre))
        assert np.array_equal(y[r, b], highest.ravel())
        for i, j, u in zip(post, pre, tap, strict=True):
            if bits.ravel()[i] >> u & 1:
                wanted[r, b, j] += delta[r, b, i]
    back = linked(row.reversed())
    kernels.deliver_winners(back, linked(row), delta, winner, weight, arriving, accumulate=True)()
    assert np.allclose(arriving, wanted, rtol=0, atol=1e-12)


@all_backends
def test_what_is_not_a_number_wins_nothing_and_is_not_hidden(kernels: ModuleType) -> None:
    row = POOLS[0]
    x = np.zeros((1, 1, size_of(row.pre)))
    x[0, 0, 0] = np.nan
    y, winner = np.zeros((1, 1, size_of(row.post))), np.zeros((1, 1, size_of(row.post)), np.int64)
    kernels.largest(linked(row), x, np.ones((1, 4)), y, winner)()
    assert np.isnan(y[0, 0, 0]) and winner[0, 0, 0] == -1 and not np.isnan(y[0, 0, 1:]).any()


@all_backends
@pytest.mark.parametrize("row", [LEARNING[2], LEARNING[2].reversed(), LEARNING[8].reversed(), LEARNING[11]],
                         ids=["filters", "filters, reversed", "untied, reversed", "table"])  # fmt: skip
def test_bounds_are_of_a_neurons_synapses_or_of_the_filter_that_neurons_share(kernels: ModuleType, row: Row) -> None:
    rng = np.random.default_rng(9)
    weight = tensor(row, lambda s: rng.normal(size=s), 3, "float64")
    owners = groups(*graph_of(row))
    bias = rng.normal(size=(3, int(owners.max()) + 1))
    alive, limit = np.array([True, False, True]), np.array([0.5, 0.5, 100.0])
    before, before_bias = weight.copy(), bias.copy()
    flat = in_rows(weight).reshape(3, -1)
    kernels.bound_grouped([flat], [owners], [bias], limit, alive)()
    post, _, slot = row.connectivity.synapses(row.pre, row.post)
    shared = row.connectivity.shared(row.pre, row.post)
    channel = post // (size_of(row.post) // row.post[0]) if shared else post
    for g in range(bias.shape[1]):
        slots = np.unique(slot[channel == g])
        norm = np.sqrt((before[0].ravel()[slots] ** 2).sum() + before_bias[0, g] ** 2)
        assert np.allclose(weight[0].ravel()[slots], before[0].ravel()[slots] * min(1, 0.5 / norm), atol=1e-14)
        assert np.isclose(bias[0, g], before_bias[0, g] * min(1, 0.5 / norm))
    assert np.array_equal(weight[1:], before[1:]) and np.array_equal(bias[1:], before_bias[1:])


def test_the_specification_shares_no_code_with_what_is_lowered() -> None:
    """It imports the description of links, steps and NumPy, and reads the synapses alone."""
    from circuitsim.kernels import specification

    source = inspect.getsource(specification)
    assert ".window" not in source and "by_post" not in source and "by_slot" not in source
    imported = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert imported == [
        "from __future__ import annotations",
        "import numpy as np",
        "from circuitsim.kernels.links import Links",
        "from circuitsim.kernels.steps import Step",
    ]


REFUSED: list[tuple[str, Callable[[], object], str]] = [
    ("kernel", lambda: Convolution(0), r"kernel of Convolution: got 0; expected a whole number >= 1"),
    (
        "stride",
        lambda: LocallyConnected(3, (1, 0)),
        r"stride of LocallyConnected: got \(1, 0\); expected a whole number",
    ),
    ("padding", lambda: Convolution(3, 1, "full"), r'Convolution: got padding .full.; expected "same", "valid", or'),
    ("lengths", lambda: Table([0, 1], [0]), r"Table of synapses: got post, pre and slot of 2, 1 and 2 numbers"),
    ("twice", lambda: Table([0, 0], [1, 1], [0, 0]), r"got the same synapse twice; expected each synapse once"),
    ("gap", lambda: Table([0, 1], [0, 1], [0, 2]), r"got slot 1 of no synapse; expected slots 0 to 2, each used"),
    ("kind", lambda: Table([0.5], [1]), r"got post, float64 of shape \(1,\); expected whole numbers >= 0"),
    ("sign", lambda: Table([0], [-1]), r"got pre, int64 of shape \(1,\), negative; expected whole numbers >= 0"),
]


@pytest.mark.parametrize("make,text", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_no_connectivity_is_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(CircuitError, match=text):
        make()


def test_tables_come_from_sparse_matrices_and_graphs() -> None:
    import networkx as nx
    from scipy import sparse

    drawn = sparse.random(5, 6, 0.4, random_state=1, format="csr")
    post, pre, slot = Table.from_sparse(drawn).synapses((6,), (5,))
    dense = np.zeros((5, 6))
    dense[post, pre] = drawn.data[slot]
    assert np.array_equal(dense, drawn.toarray())
    graph = nx.DiGraph([("a", "x"), ("b", "x"), ("b", "y"), ("x", "a")])
    found = Table.from_graph(graph, pre=["a", "b"], post=["x", "y"]).synapses((2,), (2,))
    assert set(zip(found.post, found.pre, strict=True)) == {(0, 0), (0, 1), (1, 1)}
    assert Table(drawn) == Table.from_sparse(drawn) and Table(graph) == Table.from_graph(graph)
    with pytest.raises(CircuitError, match="got a graph without an edge between these nodes"):
        Table.from_graph(graph, pre=["y"], post=["b"])
