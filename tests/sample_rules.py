"""Rules as users might write them, beside the engine's own; and how many matrix products each should take."""

from __future__ import annotations

from typing import Any

from circuitsim import rules
from circuitsim.rules import Rule, local_rule
from circuitsim.rules.functions import VOCABULARY

# names that rules may use, given to the reader of this file rather than to the rules
abs, exp, log, maximum, minimum, sign, sqrt, tanh, where = (VOCABULARY[name] for name in sorted(VOCABULARY))


@local_rule
def oja(pre: Any, post: Any, w: Any, *, decay: float = 0.3) -> Any:
    return post.at(0) * (pre.at(0) - decay * post.at(0) * w)


@local_rule
def weight_decay(w: Any, *, rate: float = 0.1) -> Any:
    return -rate * w


@local_rule
def thresholded(pre: Any, post: Any, w: Any, *, theta: float = 0.2) -> Any:
    return where(post.at(0) > theta, post.at(0) - theta, 0.0) * pre.at(0)


@local_rule
def clipped(pre: Any, post: Any, w: Any, *, limit: float = 0.3) -> Any:
    return minimum(maximum(post.at(0) * pre.at(0), -limit), limit)


@local_rule
def soft_bound(pre: Any, post: Any, w: Any) -> Any:
    return pre.at(0) * post.at(1) * maximum(0.0, 1 - abs(w))


@local_rule
def saturating(pre: Any, post: Any, w: Any) -> Any:
    return tanh(pre.at(0) * post.at(0))


@local_rule
def quotient(pre: Any, post: Any, w: Any) -> Any:
    return post.at(0) / (2 + w * w) / (1.5 + pre.at(0)) + pre.at(1) / (3 + post.at(1) * w)


@local_rule
def pure_pre(pre: Any) -> Any:
    return pre.at(0)


@local_rule
def pure_post(post: Any, *, gain: float = 0.7) -> Any:
    return gain * post.at(2)


@local_rule
def constant(w: Any) -> Any:
    return 0.25


@local_rule
def nothing(pre: Any, post: Any, w: Any) -> Any:
    return 0 * w


@local_rule
def cancelling(pre: Any, post: Any, w: Any) -> Any:
    return post.at(1) - post.at(1) + w - w + pre.at(0) * post.at(0)


@local_rule
def three_products(pre: Any, post: Any, w: Any, *, a: float = 0.5, b: float = -0.2, c: float = 1.5) -> Any:
    return a * pre.at(0) * post.at(0) + b * pre.at(1) * post.at(1) * w + c * post.at(1)


@local_rule
def powers(pre: Any, post: Any, w: Any, *, k: int = 3, gain: float = 0.5) -> Any:
    return gain * pre.at(0) ** k * (2 + post.at(0)) ** -2 - w**5 + abs(post.at(0)) ** 1.5 / 3


@local_rule
def rooted(pre: Any, post: Any, w: Any) -> Any:
    return sign(post.at(0)) * sqrt(abs(pre.at(0))) * exp(-w) + log(1 + pre.at(0) ** 2)


@local_rule
def covariance(pre: Any, post: Any, w: Any, *, mean: float = 0.4) -> Any:
    return (pre.at(0) - mean) * (post.at(0) - mean) / 7


@local_rule
def coincidence(pre: Any, post: Any, w: Any, *, theta: float = 0.1) -> Any:
    return where((pre.at(0) > theta) & (post.at(1) <= 0.5), pre.at(0) * post.at(0), -w)


@local_rule
def stepped(pre: Any, post: Any, w: Any) -> Any:
    return pre.at(0) // 0.3 + post.at(0) % 0.5


@local_rule
def attracted(pre: Any, w: Any, w_remote: Any, *, gain: float = 0.6) -> Any:
    return gain * (w_remote - w) * pre.at(0)


@local_rule
def far_bound(pre: Any, post: Any, w: Any, w_remote: Any) -> Any:
    return where(abs(w_remote) < abs(w), w_remote * post.at(0), tanh(w * pre.at(1)))


@local_rule
def sequence(pre: Any, post: Any) -> Any:
    return post.at(0) * pre.at(-1)


@local_rule
def differential(pre: Any, post: Any, w: Any, *, decay: float = 0.3) -> Any:
    return (post.at(0) - post.at(-1)) * (pre.at(0) - pre.at(-1)) - decay * w


@local_rule
def inseparable(pre: Any, post: Any, w: Any, *, decay: float = 0.3) -> Any:
    return tanh(post.at(-1) * pre.at(0) + pre.at(-1)) - decay * w * post.at(-1) ** 2


OWN = [oja, weight_decay, thresholded, clipped, soft_bound, saturating, quotient, pure_pre, pure_post, constant,
       nothing, cancelling, three_products, powers, powers.bind(k=0, gain=0.25), rooted, covariance, coincidence,
       stepped, attracted, far_bound, sequence, differential, inseparable]  # fmt: skip
ENGINE = [rule for rule in vars(rules).values() if isinstance(rule, Rule)]
ALL = [*ENGINE, rules.recirculation.bind(n=1, m=2), rules.recirculation_symmetric.bind(n=0, m=2), *OWN]

PRODUCTS = {  # of weights; 0 where a kernel over every synapse is generated
    "delta": 1, "error_recirculation": 1, "recirculation": 1, "recirculation_symmetric": 1,
    "recirculation_symmetric_bias": 1, "amp": 1, "decay": 1, "null": 1, "sparse": 1, "self_alignment": 1,
    "replacement": 1, "replacement_feedback": 1, "eligibility": 0, "three_factor": 0,
    "oja": 2, "weight_decay": 1, "thresholded": 1, "clipped": 0, "soft_bound": 1,
    "saturating": 0, "quotient": 0, "pure_pre": 1, "pure_post": 1, "constant": 1, "nothing": 0, "cancelling": 1,
    "three_products": 3, "powers": 3, "rooted": 2, "covariance": 1, "coincidence": 0, "stepped": 2,
    "attracted": 1, "far_bound": 0, "sequence": 1, "differential": 2, "inseparable": 0,
}  # fmt: skip
