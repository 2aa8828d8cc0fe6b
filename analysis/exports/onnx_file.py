"""The forward pass of a circuit as an ONNX model, opset 17."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.exports.forward import Stage, bias_of, refuse_population, stages, weight_of
from circuitsim.analysis.exports.onnx_function import add_function
from circuitsim.circuit.connectivity import DENSE, Convolution
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.engine.simulator import Simulator
from circuitsim.rules import Activation

OPSET, IR_VERSION = 17, 8
_ACTIVATIONS = {"tanh": "Tanh", "logistic": "Sigmoid", "relu": "Relu", "elu": "Elu"}


def model_of(simulator: Simulator, replica: int) -> Any:
    """Return the ONNX model of a simulator's forward pass.

    Its input is (example, neuron) of the input population, its output that of the output population. A population is
    a value of its own name.
    """
    import onnx
    from onnx import TensorProto, helper

    circuit = simulator.circuit
    graph = _Graph(simulator, replica)
    for stage in stages(circuit, simulator.protocol):
        graph.add_stage(stage)
    kind = TensorProto.DOUBLE if simulator.state.dtype == np.float64 else TensorProto.FLOAT
    inputs, outputs = (
        helper.make_tensor_value_info(name, kind, ["example", circuit.population(name).size])
        for name in (circuit.inputs, circuit.outputs)
    )
    made = helper.make_graph(graph.nodes, circuit.name, [inputs], [outputs], graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="circuitsim")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model


def write(simulator: Simulator, replica: int, path: Path) -> None:
    """Write the ONNX model of a simulator's forward pass."""
    path.write_bytes(model_of(simulator, replica).SerializeToString())


class _Graph:
    """Nodes and constants of a model in the making."""

    def __init__(self, simulator: Simulator, replica: int) -> None:
        self.simulator, self.replica, self.dtype = simulator, replica, simulator.state.dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add a node with one output; return its name."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{kind}:{name}", **attributes))
        return name

    def constant(self, name: str, values: Any) -> str:
        """Add a constant: floats of the simulator's dtype, or whole numbers; return its name."""
        from onnx import numpy_helper

        array = np.asarray(values)
        array = np.ascontiguousarray(array, self.dtype if array.dtype.kind == "f" else np.int64)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add_stage(self, stage: Stage) -> None:
        """Add the nodes of a population: what arrives, how it is combined, and its activation."""
        p = stage.population
        if stage.taken:
            self.add("Identity", [stage.taken], p.name)
            return
        if p.centres:
            raise refuse_population(p, "the mean over a batch", "a forward pass of single examples")
        if p.norm is not None:
            raise refuse_population(p, f"norm {p.norm}", "neurons that do not normalise")
        sums = [self._arriving(q, p) for q in stage.incoming]
        for n, more in enumerate(sums[1:], 1):
            kind = "Mul" if p.combine is Combine.PRODUCT else "Add"
            sums[0] = self.add(kind, [sums[0], more], f"{p.name}.sum{n}")
        self._activate(p, sums[0])

    def _activate(self, p: Population, summed: str) -> None:
        match p.activation:
            case Activation():
                add_function(self, p.activation, summed, p.name)
            case "identity":
                self.add("Identity", [summed], p.name)
            case "softmax":
                self.add("Softmax", [summed], p.name, axis=1)
            case "saturated" | "saturated-half":
                if p.activation == "saturated-half":
                    summed = self.add("Mul", [summed, self.constant(f"{p.name}.half", 0.5)], f"{p.name}.halved")
                bounds = [self.constant(f"{p.name}.{name}", value) for name, value in (("low", -1.0), ("high", 1.0))]
                self.add("Clip", [summed, *bounds], p.name)
            case name if name in _ACTIVATIONS:
                self.add(_ACTIVATIONS[name], [summed], p.name)
            case name:
                raise refuse_population(p, f"activation {name}", "ONNX")

    def _arriving(self, q: Projection, target: Population) -> str:
        """Return the name of what arrives over a projection, biases included."""
        weight = weight_of(self.simulator, q, self.replica)
        if q.connectivity == DENSE:
            across = self.constant(f"{q.name}.weight", weight.reshape(target.size, -1).T)
            found = self.add("MatMul", [q.source, across], f"{q.name}.passed")
        elif type(q.connectivity) is Convolution:  # not its subclass of untied windows
            found = self._convolved(q, weight)
        else:
            found = self._listed(q, weight, target)
        bias = bias_of(self.simulator, q, self.replica)
        return found if bias is None else self.add("Add", [found, self.constant(f"{q.name}.bias", bias)], f"{q.name}.S")

    def _convolved(self, q: Projection, weight: np.ndarray) -> str:
        assert isinstance(q.connectivity, Convolution)
        pre, post = self.simulator.circuit.ends(q.name)
        axes = q.connectivity.axes(pre)
        before = [axis.before for axis in axes]
        after = [max(0, (a.windows - 1) * a.stride + a.taps - a.cells - a.before) for a in axes]
        image = self.add("Reshape", [q.source, self.constant(f"{q.name}.image", [-1, *pre])], f"{q.name}.pre")
        fields = self.add(
            "Conv",
            [image, self.constant(f"{q.name}.weight", weight)],
            f"{q.name}.fields",
            strides=[axis.stride for axis in axes],
            pads=[*before, *after],
        )
        flat = self.constant(f"{q.name}.flat", [-1, int(np.prod(post))])
        return self.add("Reshape", [fields, flat], f"{q.name}.passed")

    def _listed(self, q: Projection, weight: np.ndarray, target: Population) -> str:
        """Gather each neuron's inputs, weigh them, and sum them or take the largest; any table of synapses."""
        cells, weights = self._table(q, weight, target)
        zero = self.constant(f"{q.name}.zero", np.zeros((1, 1)))
        shape = self.add("Shape", [q.source], f"{q.name}.shape")
        rows = self.add("Gather", [shape, self.constant(f"{q.name}.first", [0])], f"{q.name}.rows")
        ones = self.constant(f"{q.name}.one", [1])
        sizes = self.add("Concat", [rows, ones], f"{q.name}.sizes", axis=0)
        column = self.add("Expand", [zero, sizes], f"{q.name}.none")
        padded = self.add("Concat", [q.source, column], f"{q.name}.padded", axis=1)
        taken = self.add("Gather", [padded, self.constant(f"{q.name}.cells", cells)], f"{q.name}.taken", axis=1)
        weighed = self.add("Mul", [taken, self.constant(f"{q.name}.weights", weights)], f"{q.name}.weighed")
        if target.combine is Combine.MAX:
            return self.add("ReduceMax", [weighed], f"{q.name}.passed", axes=[2], keepdims=0)
        axes = self.constant(f"{q.name}.axes", [2])
        return self.add("ReduceSum", [weighed, axes], f"{q.name}.passed", keepdims=0)

    def _table(self, q: Projection, weight: np.ndarray, target: Population) -> tuple[np.ndarray, np.ndarray]:
        """Return the presynaptic neuron and the weight of each neuron's taps, (neuron, tap).

        Taps without a synapse read a cell that is 0; where only existing synapses compete, they repeat the first.
        """
        graph = self.simulator.circuit
        post, pre, slot = graph.synapses(q.name)
        order = np.argsort(post, kind="stable")
        post, pre, slot = post[order], pre[order], slot[order]
        counts = np.bincount(post, minlength=target.size)
        place = np.arange(len(post)) - np.repeat(np.cumsum(counts) - counts, counts)
        missing = graph.population(q.source).size
        cells = np.full((target.size, max(1, int(counts.max()))), missing, np.int64)
        weights = np.zeros(cells.shape)
        cells[post, place], weights[post, place] = pre, weight.reshape(-1)[slot]
        if target.combine is Combine.MAX and getattr(q.connectivity, "fill", "none") == "none":
            absent = np.arange(cells.shape[1]) >= counts[:, None]
            cells, weights = (np.where(absent, array[:, :1], array) for array in (cells, weights))
        return cells, weights
