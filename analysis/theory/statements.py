"""Statements that are checked: the paper's wording, and corrections of those that are false."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """One row of the report's table.

    Parameters
    ----------
    part : of the scenario, which checks it. case : its name in the checks. claim : of the paper, or of this project if
        `ours`. fails : if false, the hypothesis that is missing and the smallest counterexample.
    """

    part: str
    case: str
    claim: str
    fails: str = ""
    ours: bool = False


_LEARNS = "if beta > 0 and a_1 ... a_{L-1} != 0 at the start, learning ends at P = 1"
_STAYS = "if a_1 ... a_{L-1} = 0, P = 0 forever"
_EVEN = (
    "needs P >= 0 at the start, or n odd: for even n, P = -1 is a rest point too. Smallest: A*[1, 1, 1], a = (1, -1), "
    "where nothing moves; (1, -2) ends at a = (0.382, -2.618), and so does (0.3, -2.7), where P = -0.81"
)
_ENDS_62 = (
    "odd n: P = 1. Even n: P = -1 if P(0) <= -1, or if -1 < P(0) < 0 and the minimum of P(s) ahead is at or below -1 "
    "(L = 2: a_1 a_2 < 0 and |a_2| >= 2 - |a_1| for |a_1| < 1, 1 / |a_1| beyond); otherwise P = 1"
)
_READINGS_63 = {
    "eq. 51, n = 1, m = 2": (
        "needs P > 0: P keeps its sign. A*[1, 1, 1], a = (1, -1): P falls to -infinity in finite time",
        "P = 1 if P(0) > 0, -infinity if P(0) < 0",
    ),
    "eq. 51, n = 1, m = 3": (
        "needs P > 0: P keeps its sign. A*[1, 1, 1], a = (1, -1) stays; from (1, -0.5), P tends to -1",
        "P = 1 if P(0) > 0, -1 if P(0) < 0",
    ),
    "top as eq. 40, n = 1, m = 2": (
        "needs P > 0: r(P) = P^{2n} (1 - P^{m-n}) vanishes at P = 0. A*[1, 1, 1], a = (1, -1): P rises to 0, as -1/t",
        "P = 1 if P(0) > 0, 0 if P(0) < 0",
    ),
    "top as eq. 40, n = 1, m = 3": (
        "needs P > 0: from (1, -0.5), P tends to 0; from (0.5, -3), to -1",
        "P = 1 if P(0) > 0; if P(0) < 0, -1 under the condition for even n above, else 0",
    ),
}

_LINEAR = (
    ("eqs. 20, 35, 38, 39", "they are the circuit's limit for small rates (gap falls as rate; slope within 0.1)"),
    ("section 6.3, errors and outputs", "linear circuits that recirculate errors and outputs learn the same"),
    ("section 6.3.3", "in linear circuits CCR and RCC equal PR at a rate times 1 - lambda"),
    ("eq. 21, h <= L - 2", "dA^{h+1}/dt = A^{h+1} (dA^h/dt) (A^h)^t"),
    (
        "eq. 21, h = L - 1",
        "the same at the top (eqs. 21 and 36 give no range of h; eq. 41 does)",
        "needs h <= L - 2: the right side is P times the left. A*[1, 1, 1], a = (1, 1/2): 1/2 against 1/4",
    ),
    ("eq. 21, h = L - 1, corrected", "A^L (dA^{L-1}/dt) (A^{L-1})^t = P dA^L/dt", "", True),
    ("Abstract, rec rests", "A*[4, 2, 4]: learning is at rest by time 50 (rates below 10^-6)", "", True),
    (
        "Abstract, rec rests at a critical point",
        "the algorithms converge to critical points of the global error",
        "eq. 37 rests wherever A = Sigma B^t (B Sigma B^t)^-1, for any B; there the gradient of the error is zero only "
        "if Sigma maps the row space of B into itself. A*[2, 1, 2], Sigma = diag(1, 2), b = (1, 1), a = (1, 2) / 3: at "
        "rest, error 4/3, least 1, gradient (-2/9, 2/9)",
    ),
    ("section 6.2, rec is bp, at A = B^t", "in the symmetric linear case eqs. 32 and 34 are the same"),
    (
        "section 6.2, any Sigma",
        "a symmetric start stays symmetric (largest |A - B^t| below 10^-6)",
        "needs (Sigma B^t B - B^t B Sigma) B^t = 0. A*[2, 1, 2], Sigma = diag(1, 2), b = (1/2, 1/2): broken at once",
    ),
    ("section 6.2, Sigma = Id", "the same if Sigma is a multiple of Id", "", True),
    (
        "section 6.2, rec is bp, afterwards",
        "so rec and bp stay identical from a symmetric start",
        "needs lasting symmetry, as above",
    ),
)

_CHAIN = (
    ("eq. 42, L = 5", "log|a_{h+1}| - a_h^2 / 2 is constant, h <= L - 2 (drift below 10^-6)"),
    ("eq. 47", "L = 2: a_1 rests at 0, which repels, and at (-K ± sqrt(K^2 + 4)) / 2, which attract, P = 1"),
    ("Theorem 6.1", _LEARNS),
    ("Theorem 6.1, excluded", _STAYS),
    (
        "Theorem 6.1, excluded, all weights stay",
        "(not in the paper) and no weight moves",
        "needs a_1 = 0: weights below the first zero weight grow forever. (1, 0, 1): a_1 = e^t",
        True,
    ),
    (
        "Theorem 6.1, excluded, a_i0 ... a_L = 0",
        "proof: a_{i0} ... a_L remain constant and equal to 0",
        "they are constant, but only a_{i0} is 0. A*[1, 1, 1], a = (0, 5): a_2 stays 5",
    ),
)

_HIDDEN = (
    ("eqs. 53, 54, 55", "dP/dt, dA/dt and dB/dt follow from eq. 52"),
    (
        "eq. 56",
        "d(AB)/dt = 2 beta P (1 - P) (1 + B)",
        "it is 2 beta B (1 - P) (P + A). N = 1, a = 1/2, b = 1: 3/4, not 1",
    ),
    ("eq. 56, corrected", "d(AB)/dt = 2 beta B (1 - P) (P + A)", "", True),
    (
        "eq. 56, AB falls where P < 0",
        "Theorem 6.4, proof: where P < 0, AB decreases",
        "only if A < -P. N = 1, a = -2, b = 1: d(AB)/dt = 12 beta",
    ),
    ("Theorem 6.4", "if beta > 0 and b(0) != 0, learning ends at P = 1"),
    (
        "Theorem 6.4, the end in closed form",
        "b = u b(0), with u = (B - P + sqrt((B - P)^2 + 4 B)) / (2 B) of the start",
        "",
        True,
    ),
    ("Theorem 6.4, excluded", "if b(0) = 0, all weights stay"),
    ("Theorem 6.4, proof: A = 0 where P = 0, N = 1", "cases 3, 4: P rises and A falls until A = P = 0"),
    (
        "Theorem 6.4, proof: A = 0 where P = 0, N = 2",
        "the same for N = 2",
        "needs a and b parallel: P = 0 where a is orthogonal to b. a = (-1, 1), b = (1, 0): there a = (0, 1)",
    ),
)


def _readings() -> list[Statement]:
    """Theorems 6.2 and 6.3 for each rule that they are checked with."""
    found = []
    for n in (2, 3, 4):
        found += _checked("cycles", f"Theorem 6.2, n = {n}", _LEARNS, "" if n % 2 else _EVEN, _ENDS_62, _STAYS)
    for reading, (fails, ends) in _READINGS_63.items():
        claim, stays = "if a_1 ... a_L != 0, learning ends at P = 1", "if a_1 ... a_L = 0, P = 0 forever"
        found += _checked("earlier", f"Theorem 6.3, {reading}", claim, fails, ends, stays)
    return found


def _checked(part: str, name: str, claim: str, fails: str, ends: str, stays: str) -> list[Statement]:
    corrected = Statement(part, f"{name}, corrected", ends, ours=True)
    return [Statement(part, name, claim, fails), corrected, Statement(part, f"{name}, excluded", stays)]


STATEMENTS = (
    *(Statement("linear", *row) for row in _LINEAR),
    *(Statement("chain", *row) for row in _CHAIN),
    *_readings(),
    *(Statement("hidden", *row) for row in _HIDDEN),
)
