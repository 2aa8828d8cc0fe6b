"""The statements that are checked: where the paper makes them, in its sense, and what is so where they are not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """One row of the report's table.

    Parameters
    ----------
    case : as checks name it. claim : what the paper says, or, if `ours`, what is said in its place.
    fails : where it is false, which hypothesis fails and the smallest example. part : of the scenario, that checks it.
    """

    case: str
    claim: str
    part: str
    fails: str = ""
    ours: bool = False


_LEARNS = "beta > 0 and a_1 ... a_{L-1} != 0 at the start: learning ends at P = 1"
_EVEN = (
    "needs P >= 0 at the start, or n odd: for even n P = -1 is at rest too. Smallest: A*[1, 1, 1], a = (1, -1), "
    "where "
    "nothing moves; from (1, -2) it ends at a = (0.382, -2.618), and from (0.3, -2.7), P = -0.81, at the same place"
)
_OWN_ODD = "needs P > 0: P keeps its sign. A*[1, 1, 1], a = (1, -1): P falls to -infinity in finite time"
_OWN_EVEN = "needs P > 0: P keeps its sign. A*[1, 1, 1], a = (1, -1) stays; from (1, -0.5) P comes to -1"
_SAME_ODD = (
    "needs P > 0: r(P) = P^{2n} (1 - P^{m-n}) stops all at P = 0. A*[1, 1, 1], a = (1, -1): P rises to 0, as -1/t"
)
_SAME_EVEN = "needs P > 0: from (1, -0.5) P comes to 0, from (0.5, -3) to -1"
_FALSE_63 = {
    "Theorem 6.3, eq. 51, n = 1, m = 2": _OWN_ODD,
    "Theorem 6.3, eq. 51, n = 1, m = 3": _OWN_EVEN,
    "Theorem 6.3, top as eq. 40, n = 1, m = 2": _SAME_ODD,
    "Theorem 6.3, top as eq. 40, n = 1, m = 3": _SAME_EVEN,
}
_ENDS_62 = (
    "odd n: P = 1. Even n: P = -1 where P(0) <= -1, or -1 < P(0) < 0 and P(s) has a valley at or below -1 ahead "
    "(L = 2: "
    "a_1 a_2 < 0 and |a_2| >= 2 - |a_1| for |a_1| < 1, 1 / |a_1| beyond); P = 1 elsewhere"
)
_ENDS_63 = {
    "Theorem 6.3, eq. 51, n = 1, m = 2": "P = 1 where P(0) > 0, -infinity where P(0) < 0",
    "Theorem 6.3, eq. 51, n = 1, m = 3": "P = 1 where P(0) > 0, -1 where P(0) < 0",
    "Theorem 6.3, top as eq. 40, n = 1, m = 2": "P = 1 where P(0) > 0, 0 where P(0) < 0",
    "Theorem 6.3, top as eq. 40, n = 1, m = 3": "P = 1 where P(0) > 0; where P(0) < 0, -1 as for even n above, else 0",
}


_LINEAR = [
    Statement(
        "eqs. 20, 35, 38, 39",
        "they are the circuit's limit for small rates (gap falls as rate; slope within 0.1)",
        "linear",
    ),
    Statement(
        "section 6.3, errors and outputs",
        "linear circuits that recirculate errors and outputs learn the same",
        "linear",
    ),
    Statement("section 6.3.3", "in linear circuits CCR and RCC are PR at a rate times 1 - lambda", "linear"),
    Statement("eq. 21, h <= L - 2", "dA^{h+1}/dt = A^{h+1} (dA^h/dt) (A^h)^t", "linear"),
    Statement(
        "eq. 21, h = L - 1",
        "the same at the top (eqs. 21 and 36 give no range of h; eq. 41 does)",
        "linear",
        "needs h <= L - 2: the right side is P times the left. A*[1, 1, 1], a = (1, 1/2): 1/2 against 1/4",
    ),
    Statement("eq. 21, h = L - 1, corrected", "A^L (dA^{L-1}/dt) (A^{L-1})^t = P dA^L/dt", "linear", ours=True),
    Statement(
        "Abstract, rec rests",
        "A*[4, 2, 4]: learning comes to rest by time 50 (rates below 10^-6)",
        "linear",
        ours=True,
    ),
    Statement(
        "Abstract, rec rests at a critical point",
        "the algorithms converge to critical points of the global error",
        "linear",
        "eq. 37 rests wherever A = Sigma B^t (B Sigma B^t)^-1, whatever B; the error's gradient is nought "
        "there only "
        "if Sigma leaves B's rows among themselves. A*[2, 1, 2], Sigma = diag(1, 2), b = (1, 1), a = (1, 2) /"
        " 3: at rest, "
        "error 4/3, least 1, gradient (-2/9, 2/9)",
    ),
    Statement(
        "section 6.2, rec is bp, at A = B^t", "in the symmetric linear case eqs. 32 and 34 are the same", "linear"
    ),
    Statement(
        "section 6.2, any Sigma",
        "a symmetric start stays symmetric (largest |A - B^t| below 10^-6)",
        "linear",
        "needs (Sigma B^t B - B^t B Sigma) B^t = 0. A*[2, 1, 2], Sigma = diag(1, 2), b = (1/2, 1/2): broken at once",
    ),
    Statement("section 6.2, Sigma = Id", "the same where Sigma is a multiple of Id", "linear", ours=True),
    Statement(
        "section 6.2, rec is bp, afterwards",
        "so rec and bp stay identical from a symmetric start",
        "linear",
        "needs lasting symmetry, as above",
    ),
]


_CHAIN = [
    Statement("eq. 42, L = 5", "log|a_{h+1}| - a_h^2 / 2 is constant, h <= L - 2 (drift below 10^-6)", "chain"),
    Statement(
        "eq. 47",
        "L = 2: a_1 rests at 0, which repels, and at (-K ± sqrt(K^2 + 4)) / 2, which attract, P = 1",
        "chain",
    ),
    Statement("Theorem 6.1", _LEARNS, "chain"),
    Statement("Theorem 6.1, excluded", "a_1 ... a_{L-1} = 0: P = 0 for ever", "chain"),
    Statement(
        "Theorem 6.1, excluded, all weights stay",
        "(not in the paper) and no weight moves",
        "chain",
        "needs a_1 = 0: below the first weight of nought weights grow for ever. (1, 0, 1): a_1 = e^t",
        ours=True,
    ),
    Statement(
        "Theorem 6.1, excluded, a_i0 ... a_L = 0",
        "proof: a_{i0} ... a_L remain constant and equal to 0",
        "chain",
        "constant they are, but only a_{i0} is 0. A*[1, 1, 1], a = (0, 5): a_2 stays 5",
    ),
]


def _readings() -> list[Statement]:
    """Theorems 6.2 and 6.3, for each law that they are checked with."""
    found = []
    for n in (2, 3, 4):
        name = f"Theorem 6.2, n = {n}"
        found += [
            Statement(name, _LEARNS, "cycles", "" if n % 2 else _EVEN),
            Statement(f"{name}, corrected", _ENDS_62, "cycles", ours=True),
            Statement(f"{name}, excluded", "a_1 ... a_{L-1} = 0: P = 0 for ever", "cycles"),
        ]
    for name, fails in _FALSE_63.items():
        found += [
            Statement(name, "a_1 ... a_L != 0: learning ends at P = 1", "earlier", fails),
            Statement(f"{name}, corrected", _ENDS_63[name], "earlier", ours=True),
            Statement(f"{name}, excluded", "a_1 ... a_L = 0: P = 0 for ever", "earlier"),
        ]
    return found


_HIDDEN = [
    Statement("eqs. 53, 54, 55", "dP/dt, dA/dt and dB/dt follow from eq. 52", "hidden"),
    Statement(
        "eq. 56",
        "d(AB)/dt = 2 beta P (1 - P) (1 + B)",
        "hidden",
        "it is 2 beta B (1 - P) (P + A). N = 1, a = 1/2, b = 1: 3/4, and not 1",
    ),
    Statement("eq. 56, corrected", "d(AB)/dt = 2 beta B (1 - P) (P + A)", "hidden", ours=True),
    Statement(
        "eq. 56, AB falls where P < 0",
        "Theorem 6.4, proof: where P < 0, AB decreases",
        "hidden",
        "only where A < -P. N = 1, a = -2, b = 1: d(AB)/dt = 12 beta",
    ),
    Statement("Theorem 6.4", "beta > 0 and b(0) != 0: learning ends at P = 1", "hidden"),
    Statement(
        "Theorem 6.4, the end in closed form",
        "b = u b(0), u = (B - P + sqrt((B - P)^2 + 4 B)) / (2 B) of the start",
        "hidden",
        ours=True,
    ),
    Statement("Theorem 6.4, excluded", "b(0) = 0: all weights stay", "hidden"),
    Statement(
        "Theorem 6.4, proof: A = 0 where P = 0, N = 1", "cases 3, 4: P rises and A falls until A = P = 0", "hidden"
    ),
    Statement(
        "Theorem 6.4, proof: A = 0 where P = 0, N = 2",
        "the same for N = 2",
        "hidden",
        "needs a and b parallel: P = 0 where a is orthogonal to b. a = (-1, 1), b = (1, 0): there a = (0, 1)",
    ),
]


STATEMENTS = (*_LINEAR, *_CHAIN, *_readings(), *_HIDDEN)
