"""
Any graph as a connectivity
===========================

A projection is a table of synapses. `Table` takes index arrays, a SciPy sparse matrix or a networkx graph. Here a
small-world network connects the hidden neurons of a classifier to the pixels around them.
"""

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np

import circuitsim as cs
from circuitsim.rules import delta

graph = nx.watts_strogatz_graph(64, 8, 0.1, seed=0)
post, pre = np.array([(b, a) for edge in graph.edges for a, b in (edge, edge[::-1])]).T
synapses = cs.Table(post, pre)
circuit = cs.Circuit(
    "small world",
    (
        cs.Population("pixels", 64),
        cs.Population("hidden", 64, "tanh"),
        cs.Population("classes", 10, "softmax"),
        cs.Population("labels", 10, site="classes"),
        cs.Population("error", 10, site="classes", feedback=True),
        cs.Population("hidden_error", 64, site="hidden", feedback=True),
    ),
    (
        cs.Projection("W1", "pixels", "hidden", connectivity=synapses, bias=True),
        cs.Projection("W2", "hidden", "classes", bias=True),
        cs.Projection("B2", "error", "hidden_error"),
    ),
    exchanges=(
        cs.Exchange("labels", "error", cs.Carries.TARGET),
        cs.Exchange("classes", "error", cs.Carries.ACTUAL),
        cs.Exchange("hidden", "hidden_error", cs.Carries.SLOPE),
    ),
    plasticity=(cs.Plasticity("W1", delta, post="hidden_error"), cs.Plasticity("W2", delta, post="error")),
    inputs="pixels",
    outputs="classes",
    labels="labels",
)
circuit

# %%
digits = cs.data.load("digits")
simulator = cs.Simulator(circuit, cs.Protocol(), batch=10, seeds=range(3), parameters={"lr": 0.1})
simulator.use(digits.train, digits.train_labels)
order, errors = np.random.default_rng(0), []
for _ in range(8):
    fired = np.concatenate([out for _, out, _ in simulator.outputs(digits.test)], axis=1)
    errors.append(100 * (fired.argmax(-1) != digits.test_labels).mean(1))
    simulator.present_each(order.permutation(1430).reshape(143, 10))

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
present = np.zeros((64, 64))
present[post, pre] = 1
left.imshow(present, cmap="Greys")
left.set(xlabel="pixel", ylabel="hidden neuron", title=f"{len(post)} of 4096 synapses")
right.plot(errors)
right.set(xlabel="epoch", ylabel="test error (%)", title="Three seeds")
