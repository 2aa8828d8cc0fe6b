"""Honest circuits, hooks and runs that an audit must not accuse, written blind."""

# mypy: ignore-errors
from __future__ import annotations

import tempfile
from dataclasses import replace

import numpy as np
from blind import Case, collector, watch
from blind_circuits import audited, classifier, layered_classifier_of
from blind_loop import design, measured, ran

import circuitsim as cs
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.eligibility import rflo_network
from circuitsim.circuits.errors_through_time import through_time
from circuitsim.circuits.recurrent import recurrent_classifier
from circuitsim.runs.design import Stage

CASES: list[Case] = []
honest = collector(CASES)
W1, W2, B2 = "W1.weight", "W2.weight", "B2.weight"


def hook(**options):
    """Return a decorator that makes an honest hook a case."""

    def add(function):
        def make():
            return watch(function, **options)

        make.__name__ = f"hook_{function.__name__}"
        return honest()(make)

    return add


def velocity():
    v, before = {}, {}

    def own_momentum(t):
        for name in (W1, W2):
            if name in before:
                v[name] = 0.9 * v.get(name, 0) + (t[name] - before[name])
                t[name][...] = before[name] + v[name]
            before[name] = t[name].copy()

    return own_momentum


hook()(velocity())


@hook()
def weight_decay(t):
    t[W1][...] *= 0.999
    t[W2][...] *= 0.999


@hook()
def heterosynaptic(t):
    t[W1][...] /= np.maximum(1, np.linalg.norm(t[W1], axis=2, keepdims=True))


@hook()
def centres_each_neurons_synapses(t):
    t[W2][...] -= t[W2].mean(axis=2, keepdims=True)


def annealing():
    calls = [0]

    def anneals(t):
        calls[0] += 1
        t[W1][...] *= 1 - 0.01 / calls[0]

    return anneals


hook()(annealing())


def keyed():
    calls = [0]

    def keyed_noise(t):
        calls[0] += 1
        for number, name in enumerate((W1, W2)):
            t[name][...] += 1e-3 * np.random.default_rng((calls[0], number)).normal(size=t[name].shape)

    return keyed_noise


hook()(keyed())


def logger():
    rows = []

    def logs(t):
        rows.append({name: float(np.linalg.norm(value)) for name, value in t.items()})
        if len(rows) > 10:
            rows.clear()

    return logs


hook()(logger())


def logger_to_file():
    file = tempfile.TemporaryFile("w+")  # noqa: SIM115  (it lives as long as the hook)

    def logs_to_file(t):
        file.write(f"{np.linalg.norm(t[W1])}\n")

    return logs_to_file


hook()(logger_to_file())


@hook()
def clips(t):
    for value in t.values():
        np.clip(value, -2, 2, out=value)


@hook(seeds=(0, 1, 2))
def replicas_each_scaled(t):
    t[W1][...] *= np.array([0.999, 1.0, 0.99]).reshape(3, 1, 1)


@hook(dtype="float64")
def quantises(t):
    t[W1][...] = np.round(t[W1] * 256) / 256


@hook(after="feedback")
def quiet_after_feedback(t):
    t[B2][...] *= 0.9999


@hook()
def masks(t):
    t[W1][:, ::2, ::3] = 0


@hook()
def rectifies(t):
    np.maximum(t[W2], -0.5, out=t[W2])


def averages():
    kept = {}

    def slow_copy(t):
        for name in (W1, W2):
            kept[name] = 0.99 * kept.get(name, t[name]) + 0.01 * t[name]
            t[name][...] = 0.9 * t[name] + 0.1 * kept[name]

    return slow_copy


hook()(averages())


@honest(daily=True)
def feedback_alignment():
    return audited(*classifier("fa"))


@honest()
def kolen_pollack():
    return audited(*classifier("kp"))


@honest()
def direct_feedback():
    return audited(*classifier("dfa"))


@honest()
def updated_random_feedback():
    return audited(*classifier("urfb"))


@honest()
def weight_mirror():
    return audited(*classifier("wm", mirror=cs.Mirror("")))


@honest()
def weight_mirror_block_bias():
    return audited(*classifier("wm", mirror=cs.Mirror("", block_bias=True), passes=3))


@honest()
def bounded_neurons():
    return audited(*classifier("fa", bounded=True), {"max_norm": 0.5})


@honest()
def masked_synapses():
    return audited(*classifier("fa", masked=True), {"density": 0.5})


@honest()
def deferred_updates():
    return audited(*classifier("fa", deferred=True), {"update_probability": 0.3})


@honest()
def momentum_and_decay():
    return audited(*classifier("fa"), {"momentum": 0.9, "weight_decay": 0.01})


@honest()
def double_precision():
    return audited(*classifier("fa"), dtype="float64")


@honest()
def three_hidden_layers():
    return audited(*layered_classifier([6, 5, 4, 5, 3], "fa", output="logistic", delay=2))


@honest()
def hinge_loss():
    return audited(*layered_classifier([6, 5, 3], "fa", output="identity", loss="hinge", hidden="relu"))


@honest()
def untied_feedback_alignment():
    return audited(*layered_classifier_of(["local 2 3", "dense 3"], "fa"))


@honest()
def pools_and_untied():
    return audited(*layered_classifier_of(["local 2 3", "maxpool 2", "dense 3"], "fa"))


@honest()
def dropout():
    return audited(*layered_classifier_of(["local 2 3", "drop 0.3", "dense 3"], "fa"))


@honest()
def circular():
    return audited(*cs.circuits.circular_autoencoder([6, 4, 6]))


@honest()
def circular_rwcc_deep():
    return audited(*cs.circuits.circular_autoencoder([6, 4, 3, 4, 6], cycles=2))


@honest()
def stacked():
    circuit, protocol, *_ = cs.circuits.stacked_autoencoders([6, 5, 4, 5, 6])
    return audited(circuit, protocol)


@honest()
def rflo():
    return audited(*rflo_softmaxless())


def rflo_softmaxless():
    circuit, protocol = rflo_network(4, 3, 2, 3)
    parts = tuple(replace(p, activation="identity") if p.name == "y" else p for p in circuit.populations)
    return replace(circuit, populations=parts), protocol


@honest()
def alignment_through_time():
    circuit, _ = recurrent_classifier((1, 2, 2), [2], 3, "simple", kernel=1, recurrent_kernel=1, pool=1)
    dense = tuple(
        replace(q, connectivity=cs.Dense()) if isinstance(q.connectivity, cs.Convolution) else q
        for q in circuit.projections
    )
    parts = tuple(replace(p, activation="identity") if p.activation == "softmax" else p for p in circuit.populations)
    made = through_time(replace(circuit, projections=dense, populations=parts), "fa")
    return audited(made, cs.Protocol(clock=cs.Clock(2)))


@honest()
def one_example_a_batch():
    circuit, protocol = classifier("fa")
    simulator = cs.Simulator(circuit, protocol, batch=1, backend="numpy", seeds=(0, 1))
    simulator.use(np.random.default_rng(0).random((9, 6)), np.arange(9) % 3)
    from circuitsim.analysis.audits.examine import examine_simulator

    return examine_simulator(simulator, np.arange(1))


@honest()
def zero_weights_and_examples():
    circuit, protocol = classifier("fa")
    simulator = cs.Simulator(circuit, protocol, batch=3, backend="numpy")
    for name, value in simulator.tensors().items():
        simulator.load(name, np.zeros_like(value))
    simulator.use(np.zeros((9, 6)), np.arange(9) % 3)
    from circuitsim.analysis.audits.examine import examine_simulator

    return examine_simulator(simulator, np.arange(3))


@honest()
def plain_run():
    return ran()


@honest()
def run_that_logs():
    rows = []
    return ran(inspect=measured(lambda s: rows.append({k: v.mean() for k, v in s.tensors().items()})))


@honest()
def run_that_observes():
    return ran(examine=measured(lambda s: list(s.outputs(np.zeros((3, 64))))))


@honest()
def run_in_stages():
    def made(keys):
        found = design(keys)
        stages = (Stage(1, replace(found.protocol, learn=False), name="rest"), Stage(1, found.protocol, name="learn"))
        return replace(found, stages=stages)

    return ran(made)


@honest()
def run_with_an_honest_hook():
    def decays(t):
        t["W1.weight"][...] *= 0.999

    return ran(lambda keys: replace(design(keys), hooks=(cs.Hook(decays),)))


@honest()
def run_of_two_replicas_with_momentum():
    run = cs.run("classifier", feedback="fa", output="logistic", momentum=0.9, epochs=1, train_limit=100,
                 vary={"seed": [0, 1]}, backend="numpy")  # fmt: skip
    return run.audit


@honest()
def run_of_a_mirror():
    return cs.run("classifier", feedback="wm", output="logistic", epochs=1, train_limit=100, backend="numpy").audit
