"""
The cost of locality
====================

The audit measures a circuit that runs: the labels that its synapses need, the distance that errors travel, the
memory that its neurons need. A Tourbillon's growth keeps all of them short; backpropagation and random feedback do
not.
"""

import matplotlib.pyplot as plt

import circuitsim as cs
from circuitsim.analysis.reports.audit_text import scores
from circuitsim.circuits.tourbillon import growing, tourbillon

sizes = [16, 12, 8, 6, 4]
stack, grown = tourbillon(sizes)
circuits = {
    "growing stack": (stack, cs.Protocol(cycles=grown.cycles, groups=growing(1, 2, 3))),
    "random feedback": cs.circuits.layered_classifier(sizes, "fa"),
    "backpropagation": cs.circuits.layered_classifier(sizes, "bp"),
}
measured = {}
for name, (circuit, protocol) in circuits.items():
    audit = cs.audit(circuit, protocol, {"lr": 0.1}, seed=0)
    measured[name] = {"window": max(audit["window"].values()), "scores": scores(audit["scorecard"])}
    print(name, *(f"  {problem}: {text}" for problem, text in measured[name]["scores"]), sep="\n")

# %%
figure, ax = plt.subplots(figsize=(6, 2.6))
ax.barh(list(measured), [one["window"] for one in measured.values()])
ax.set(xlabel="longest window that a rule needs (ticks)")
