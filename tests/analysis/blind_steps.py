"""Training steps for `audit_step`, written blind: cheats in `CASES`, honest ones in `HONEST`."""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from blind import Case, collector

import circuitsim as cs

CASES: list[Case] = []
HONEST: list[Case] = []
case, honest = collector(CASES), collector(HONEST)
WIRING = {"W1": ("x", "h"), "W2": ("h", "y"), "B2": ("y", "h")}
RATE = 0.1


def problem(seed=0, n=(7, 6, 4), examples=12):
    random = np.random.default_rng(seed)
    weights = {
        "W1": random.normal(size=(n[1], n[0])), "W2": random.normal(size=(n[2], n[1])),
        "B2": random.normal(size=(n[1], n[2])),
    }  # fmt: skip
    batch = {"x": random.random((examples, n[0])), "t": np.eye(n[2])[random.integers(0, n[2], examples)]}
    return weights, batch


def audited(step, n=(7, 6, 4), wiring=WIRING, **options):
    weights, batch = problem(n=n)
    return cs.audit_step(
        step, {k: v for k, v in weights.items() if k in wiring}, wiring, batch, **{"seed": 0, **options}
    )


def passes(w, batch, back=None, normalise=lambda s: s, output=lambda s: 1 / (1 + np.exp(-s))):
    """Return dW1 and dW2 of feedback alignment, or through another matrix."""
    x, t = batch["x"], batch["t"]
    h = np.tanh(normalise(x @ w["W1"].T))
    e = t - output(h @ w["W2"].T)
    delta = (e @ (w["B2"] if back is None else back).T) * (1 - h * h)
    return delta.T @ x, e.T @ h, h, e, delta


def changed(w, d1, d2, **more):
    return {"W1": w["W1"] + RATE * d1, "W2": w["W2"] + RATE * d2, **more}


def plain(w, batch, **options):
    d1, d2, *_ = passes(w, batch, **options)
    return changed(w, d1, d2)


@case("weight-transport", "W2", daily=True)
def true_backpropagation():
    return audited(lambda w, b: plain(w, b, back=w["W2"].T))


@case("weight-transport", "W2")
def sign_of_the_transpose():
    return audited(lambda w, b: plain(w, b, back=np.abs(w["B2"]) * np.sign(w["W2"].T)))


@case("weight-transport", "W2")
def a_tenth_of_the_transpose():
    return audited(lambda w, b: plain(w, b, back=w["B2"] + 0.1 * w["W2"].T))


@case("weight-transport", "W2")
def one_entry_of_the_transpose():
    def step(w, b):
        back = w["B2"].copy()
        back[5, 2] = w["W2"][2, 5]
        return plain(w, b, back=back)

    return audited(step)


@case("weight-transport", "W2")
def copied_into_feedback_every_fifth_call():
    calls = [0]

    def step(w, b):
        calls[0] += 1
        d1, d2, *_ = passes(w, b)
        return changed(w, d1, d2, B2=w["W2"].T.copy() if calls[0] % 5 == 0 else w["B2"])

    return audited(step)


@case("weight-transport", "W2")
def transpose_of_the_previous_call():
    kept = []

    def step(w, b):
        back = kept[-1] if kept else w["B2"]
        kept.append(w["W2"].T.copy())
        del kept[:-1]
        return plain(w, b, back=back)

    return audited(step)


@case("weight-transport", "W2")
def rank_one_of_the_transpose():
    def step(w, b):
        u, s, v = np.linalg.svd(w["W2"].T)
        return plain(w, b, back=s[0] * np.outer(u[:, 0], v[0]))

    return audited(step)


@case("weight-transport", "W2")
def feedback_drifts_to_the_transpose():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        return changed(w, d1, d2, B2=0.99 * w["B2"] + 0.01 * w["W2"].T)

    return audited(step)


@case("refused", "where synapses of 'W2' are zero, as in a cut")
def norm_of_the_layer_above():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        return changed(w, d1 / np.linalg.norm(w["W2"]), d2)

    return audited(step)


@case("weight-transport", "W2")
def transposed_where_weights_are_large():
    return audited(lambda w, b: plain(w, b, back=np.where(np.abs(w["W2"].T) > 1, w["W2"].T, w["B2"])))


@case("weight-transport", "W2")
def norm_of_the_layer_above_but_never_zero():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        return changed(w, d1 / (0.1 + np.linalg.norm(w["W2"])), d2)

    return audited(step)


@case("lateral", "")
def batch_normalisation():
    return audited(lambda w, b: plain(w, b, normalise=lambda s: (s - s.mean(0)) / (s.std(0) + 0.1)))


@case("lateral", "")
def layer_normalisation():
    def layer(s):
        return (s - s.mean(1, keepdims=True)) / (s.std(1, keepdims=True) + 0.1)

    return audited(lambda w, b: plain(w, b, normalise=layer))


@case("lateral", "")
def softmax_output():
    def softmax(s):
        p = np.exp(s - s.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)

    return audited(lambda w, b: plain(w, b, output=softmax))


@case("lateral", "")
def clipped_global_norm():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        size = np.sqrt((d1**2).sum() + (d2**2).sum())
        return changed(w, d1 / max(1, size), d2 / max(1, size))

    return audited(step)


@case("lateral", "")
def rate_of_each_layer_by_its_norm():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        return changed(w, d1 * np.linalg.norm(w["W1"]) / (np.linalg.norm(d1) + 1e-3), d2)

    return audited(step)


@case("lateral", "")
def hardest_examples_alone():
    def step(w, b):
        *_, e, _ = passes(w, b)
        hard = np.argsort((e**2).sum(1))[6:]
        return plain(w, {k: v[hard] for k, v in b.items()})

    return audited(step)


@case("lateral", "")
def rests_below_a_mean_loss():
    def step(w, b):
        d1, d2, _, e, _ = passes(w, b)
        learns = (e**2).mean() > 0.25
        return changed(w, d1 * learns, d2 * learns)

    return audited(step)


@case("lateral", "")
def second_moment_of_the_layer():
    kept = [1.0]

    def step(w, b):
        d1, d2, *_ = passes(w, b)
        kept[0] = 0.9 * kept[0] + 0.1 * float((d1**2).mean())
        return changed(w, d1 / np.sqrt(kept[0] + 1e-3), d2)

    return audited(step)


@case("lateral", "")
def decorrelated_neurons():
    def step(w, b):
        d1, d2, h, *_ = passes(w, b)
        inhibition = np.tril(h.T @ h, -1)
        return changed(w, d1 - 0.1 * inhibition @ w["W1"], d2)

    return audited(step)


@case("remote-error", "")
def error_by_an_unlisted_matrix():
    matrix = np.random.default_rng(5).normal(size=(6, 4))
    wiring = {k: v for k, v in WIRING.items() if k != "B2"}

    def step(w, b):
        d1, d2, *_ = passes({**w, "B2": matrix}, b)
        return changed(w, d1, d2)

    return audited(step, wiring=wiring)


@case("remote-error", "")
def global_reward_not_declared():
    def step(w, b):
        _d1, d2, h, e, _ = passes(w, b)
        reward = 1 - (e**2).mean(1)
        noise = np.random.default_rng(1).normal(size=h.shape)
        return changed(w, (reward[:, None] * noise).T @ b["x"], d2)

    return audited(step)


@case("remote-target", "")
def targets_projected_without_synapses():
    matrix = np.random.default_rng(5).normal(size=(6, 4))

    def step(w, b):
        _d1, d2, h, *_ = passes(w, b)
        return changed(w, (b["t"] @ matrix.T - h).T @ b["x"], d2)

    return audited(step)


@case("time-window", "")
def replays_an_earlier_batch():
    kept = []

    def step(w, b):
        kept.append({k: v.copy() for k, v in b.items()})
        old = kept.pop(0) if len(kept) > 3 else b
        return plain(w, old)

    return audited(step, window=1)


# honest steps


@honest(daily=True)
def feedback_alignment():
    return audited(plain)


@honest()
def kolen_pollack():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        return {"W1": w["W1"] + RATE * d1, "W2": 0.99 * w["W2"] + RATE * d2, "B2": 0.99 * w["B2"] + RATE * d2.T}

    return audited(step)


@honest()
def own_momentum():
    v = {}

    def step(w, b):
        d1, d2, *_ = passes(w, b)
        for name, d in (("W1", d1), ("W2", d2)):
            v[name] = 0.9 * v.get(name, 0) + d
        return changed(w, v["W1"], v["W2"])

    return audited(step)


@honest()
def adam_each_synapse():
    m, s, calls = {}, {}, [0]

    def step(w, b):
        calls[0] += 1
        d1, d2, *_ = passes(w, b)
        out = {}
        for name, d in (("W1", d1), ("W2", d2)):
            m[name] = 0.9 * m.get(name, 0) + 0.1 * d
            s[name] = 0.99 * s.get(name, 0) + 0.01 * d**2
            out[name] = m[name] / (np.sqrt(s[name]) + 1e-2)
        return changed(w, out["W1"], out["W2"])

    return audited(step)


@honest()
def direct_feedback_listed():
    return audited(lambda w, b: plain(w, b, back=w["B2"]))


@honest()
def hebb_alone():
    def step(w, b):
        h = np.tanh(b["x"] @ w["W1"].T)
        return {"W1": w["W1"] + RATE * (h.T @ b["x"] - (h**2).sum(0)[:, None] * w["W1"])}

    return audited(step)


@honest()
def rows_bounded():
    def step(w, b):
        new = plain(w, b)
        return {k: v / np.maximum(1, np.linalg.norm(v, axis=1, keepdims=True) / 3) for k, v in new.items()}

    return audited(step)


@honest()
def decay_and_clip_by_element():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        return {"W1": 0.999 * w["W1"] + np.clip(d1, -1, 1), "W2": 0.999 * w["W2"] + np.clip(d2, -1, 1)}

    return audited(step)


@honest()
def annealed_by_count():
    calls = [0]

    def step(w, b):
        calls[0] += 1
        d1, d2, *_ = passes(w, b)
        return changed(w, d1 / calls[0], d2 / calls[0])

    return audited(step)


@honest()
def keyed_noise_in_neurons():
    calls = [0]

    def step(w, b):
        calls[0] += 1
        noise = np.random.default_rng(calls[0]).normal(size=(len(b["x"]), 6))
        return plain(w, b, normalise=lambda s: s + 0.1 * noise[: len(s)])

    return audited(step)


@honest()
def relu_and_hinge():
    def step(w, b):
        h = np.maximum(b["x"] @ w["W1"].T, 0)
        s = h @ w["W2"].T
        e = np.where(b["t"] > 0, s < 1, -(s > -1).astype(float))
        return changed(w, ((e @ w["B2"].T) * (h > 0)).T @ b["x"], e.T @ h)

    return audited(step)


@honest()
def signs_of_own_gradient():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        return changed(w, np.sign(d1), np.sign(d2))

    return audited(step)


@honest()
def means_over_the_batch():
    def step(w, b):
        d1, d2, *_ = passes(w, b)
        return changed(w, d1 / len(b["x"]), d2 / len(b["x"]))

    return audited(step)


@honest()
def reward_declared():
    def step(w, b):
        _d1, d2, _h, e, _ = passes(w, b)
        reward = 1 - (e**2).mean()
        noise = np.random.default_rng(1).normal(size=(6,))
        return changed(w, reward * np.outer(noise, b["x"].sum(0)), d2)

    return audited(step, third_factor=("W1",))
