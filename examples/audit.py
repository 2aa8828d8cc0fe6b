"""Audit code that carries weights from one place to another; explain the change of a synapse.

Run: python examples/audit.py
"""

import numpy as np

from circuitsim import Hook, Simulator
from circuitsim.analysis.audits.examine import examine_simulator
from circuitsim.analysis.reports.audit_text import scores
from circuitsim.analysis.tracing.explain import explain
from circuitsim.circuits.classifier import layered_classifier


def keep_aligned(tensors):
    """Copy the forward weights into the feedback weights, as some libraries do to improve feedback alignment."""
    tensors["B2.weight"][...] = tensors["W2.weight"].transpose(0, 2, 1)


circuit, protocol = layered_classifier([8, 6, 3], "fa", output="logistic")
random = np.random.default_rng(0)
simulator = Simulator(circuit, protocol, batch=4, hooks=[Hook(keep_aligned, after="update")], evidence=True)
simulator.use(random.random((20, 8)), random.integers(0, 3, 20))

audit = examine_simulator(simulator, np.arange(4))
print("local" if audit["local"] else "not local")
for finding in audit["findings"]:
    print(f"{finding['kind']} in {finding['projection']}: {finding['read']} ({finding['rule'] or 'declared'})")
for problem, measured in scores(audit["scorecard"]):
    print(f"{problem:<11} {measured}")

simulator.present(np.arange(4))
print(explain(simulator, "W1", 2, 5))
