"""
Export to ONNX
==============

`export` writes the forward pass with the weights of one replica. Another program then computes what `Simulator.outputs`
yields; here ONNX's own reference evaluator.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

import circuitsim as cs

run = cs.run("classifier", lr=0.5, epochs=3, progress=False)
simulator = run.simulator()
x = cs.data.load("digits").test
ours = np.concatenate([fired[0] for _, fired, _ in simulator.outputs(x)])
with TemporaryDirectory() as folder:
    model = onnx.load(cs.export(simulator, Path(folder) / "classifier.onnx"))
theirs = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x.astype(np.float32)})[0]
print([node.op_type for node in model.graph.node])
print("largest difference:", np.abs(ours - theirs).max())

# %%
figure, ax = plt.subplots(figsize=(4, 4))
ax.plot([0, 1], [0, 1], color="#cccccc")
ax.scatter(ours, theirs, s=4)
ax.set(xlabel="circuitsim", ylabel="ONNX", title="Output activities of the test digits")
