"""Rules that are not functions of one synapse are refused where they are written, always by a RuleError."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from building import Setting, presentations, simulator, train
from sample_rules import attracted, cancelling, oja

from circuitsim.errors import RuleError
from circuitsim.locality import Place, Reading
from circuitsim.rules import delta, local_rule, recirculation
from circuitsim.rules.functions import VOCABULARY

WORDS = ", ".join(sorted(VOCABULARY))
CODE = f"nothing but its arguments (pre, post, w), .at(cycle), and {WORDS}"
SYNAPSE = "A synapse sees its two neurons and itself: pass constants as parameters (name=value)."
CHOOSE = "Use where(condition, a, b) with <, <=, > or >=, or minimum or maximum."
ARITHMETIC = f"arithmetic on pre.at(k), post.at(k), w and parameters, and {WORDS}"
NUMBER = "Each of these stands for one number."
CYCLE = (
    "a cycle that is a whole number from 0 to 1000, or -1 for the last activity of the presentation before, known when "
    "the rule is built"
)
FUTURE = "Use a literal or a whole-number parameter; a rule cannot read the future, nor further back."
RESULT = "one number, the increment dw"
RETURN = "Return an expression of pre.at(k), post.at(k) and w."
FINITE = "Avoid dividing by zero, and numbers too large for a float."
BRANCH = "a branch (if, while, and, or, not, assert, a < b < c)"


def written(source: str) -> Callable[..., Any]:
    """The function `f` that this source defines; its first line is line 1."""
    names: dict[str, Any] = {"np": np, "RATE": 0.1, "state": {}, "functools": functools}
    exec(compile(source, "<a user's file>", "exec"), names)
    return names["f"]  # type: ignore[no-any-return]


def body(text: str) -> str:
    """A rule with this body from line 2 on."""
    return "def f(pre, post, w):\n" + "\n".join(f"    {line}" for line in text.split("\n"))


NAMED = [  # what its code may not name, with the line
    ("return RATE * w", 2, "the name 'RATE'"),
    ("x = w\nreturn np.tanh(x)", 3, "the name 'np'"),
    ("return len(pre)", 2, "the name 'len'"),
    ("return float(w)", 2, "the name 'float'"),
    ("return max(w, 0)", 2, "the name 'max'"),
    ("print(w)\nreturn w", 2, "the name 'print'"),
    ("return f(pre, post, w)", 2, "the name 'f'"),
    ("return __builtins__['abs'](w)", 2, "the name '__builtins__'"),
    ("raise ValueError", 2, "the name 'ValueError'"),
    ("import os\nreturn w", 2, "an import"),
    ("from numpy import tanh\nreturn tanh(w)", 2, "an import"),
    ("return w.shape", 2, "the attribute 'shape'"),
    ("return w.__class__", 2, "the attribute '__class__'"),
    ("return pre.at.__self__", 2, "the attribute '__self__'"),
    ("return w.T * 1", 2, "the attribute 'T'"),
    ("y = f'{pre.at.__globals__}'\nreturn w", 2, "the attribute '__globals__'"),
    ("return '{0.__class__}'.format(w)", 2, "the attribute 'format'"),
    ("pre.last = w\nreturn w", 2, "an assignment to something outside it, 'last'"),
    ("del pre.last\nreturn w", 2, "an assignment to something outside it, 'last'"),
    ("w[0] = 1\nreturn w", 2, "an assignment to something outside it, 'an item'"),
    ("global RATE\nRATE = 2\nreturn w", 3, "an assignment to something outside it, 'RATE'"),
    ("g = lambda x: x\nreturn g(w)", 2, "a function inside it"),
    ("def g(x):\n    return x\nreturn g(w)", 2, "a function inside it"),
    ("class A:\n    pass\nreturn w", 2, "a class inside it"),
    ("yield w", 1, "async or yield"),
]
DECIDED = [  # what would be decided on the symbol and not on the number
    ("if w > 0:\n    return w\nreturn 0", 2, BRANCH),
    ("return pre.at(0) if w else 0", 2, BRANCH),
    ("return w or pre.at(0)", 2, BRANCH),
    ("return w and pre.at(0)", 2, BRANCH),
    ("return where(not w, 1, w)", 2, BRANCH),
    ("return where(0 < w < 1, 1, w)", 2, BRANCH),
    ("assert w\nreturn w", 2, BRANCH),
    ("return where(w == 0, 1, w)", 2, "the comparison '=='"),
    ("return where(w != 0, 1, w)", 2, "the comparison '!='"),
    ("return where(w in (0, 1), 1, w)", 2, "the comparison 'in'"),
    ("return where(w is pre, 1, w)", 2, "the comparison 'is'"),
]
RESULTS = [  # what is not one real number
    ("return None", "a result of type NoneType", RESULT, RETURN),
    ("pre.at(0)", "a result of type NoneType", RESULT, RETURN),
    ("return w, w", "a result of type tuple", RESULT, RETURN),
    ("return w > 0", "a result of type StrictGreaterThan", RESULT, RETURN),
    ("return pre.at", "a result of type method", RESULT, RETURN),
    ("return log(-1)", "the expression nan", "a finite real number", FINITE),
    ("return log(0) * w", "the expression -oo*w", "a finite real number", FINITE),
    ("return sqrt(-1) + w", "the expression nan", "a finite real number", FINITE),
    ("return w / 0", "the expression zoo*w", "a finite real number", FINITE),
    ("return 1e999 * w", "the expression oo*w", "a finite real number", FINITE),
]
NO_NUMBERS = [  # the constant or the operation, refused before any of it runs
    ("return 'w'", "the constant 'w'"),
    ("return f'{w}'", "a string"),
    ("return [w]", "a list"),
    ("return {w: 1}", "a dictionary"),
    ("return True", "the constant True"),
    ("return 2j", "the constant 2j"),
    ("return 2j * w", "the constant 2j"),
    ("return post.at('0')", "the constant '0'"),
    ("return post.at(True)", "the constant True"),
    ("return pre[0]", "a subscript: a number object is not subscriptable"),
    ("return maximum(*pre)", "a call with stars"),
]
CYCLES = ["-2", "1.5", "None", "10**30", "1001"]
RAISES = [  # what Python or the vocabulary refuses; the rest of its sentence is Python's
    ("return 1 / 0", 2, "ZeroDivisionError: division by zero"),
    ("x = w\nreturn x.at(0)", 3, "AttributeError: 'Symbol' object has no attribute 'at'"),
    ("return pre + w", 2, "TypeError: unsupported operand"),
    ("return pre.at()", 2, "TypeError: "),
    ("return pre.at(0)(1)", 2, "TypeError: "),
    ("return minimum(pre.at(0), post.at(0), w)", 2, "TypeError: minimum takes 2 argument(s), not 3"),
    ("return log(pre.at(0), 2)", 2, "TypeError: log takes 1 argument(s), not 2"),
    ("return where(w + 1, 1, 2)", 2, "TypeError: "),
    ("return x * w\nx = 1", 2, "UnboundLocalError: "),
    ("return w << 1", 2, "TypeError: unsupported operand"),
    ("a, b = pre\nreturn w", 2, "TypeError: "),
    ("return w @ w", 2, "TypeError: unsupported operand"),
]
HUGE = ["return 9**9**9 * w", "x = 9\ny = x**x\nreturn y**y", "a, b = 99, 10**9\nreturn w + a**b", "return w * 10**400"]


def refusal(function: Any) -> RuleError:
    """The error of making a rule of it; any other error fails the test."""
    with pytest.raises(RuleError) as caught:
        local_rule(function)
    return caught.value


@pytest.mark.parametrize("text, line, got", NAMED)
def test_code_that_reaches_beyond_the_synapse(text: str, line: int, got: str) -> None:
    assert str(refusal(written(body(text)))) == f"rule f, line {line}: got {got}; expected {CODE}. {SYNAPSE}"


@pytest.mark.parametrize("text, got", NO_NUMBERS)
def test_what_is_no_number(text: str, got: str) -> None:
    found = str(refusal(written(body(text))))
    assert found == f"rule f, line 2: got {got}; expected {CODE}. A rule computes with numbers alone."


def test_exceptions_are_neither_raised_nor_caught() -> None:
    assert str(refusal(written(body("raise pre")))) == f"rule f, line 2: got a raise; expected {CODE}. {SYNAPSE}"
    caught = str(refusal(written(body("try:\n    x = 1 / w\nfinally:\n    x = w\nreturn x"))))
    assert caught == f"rule f, line 1: got try or with; expected {CODE}. A rule computes; it catches nothing."


@pytest.mark.parametrize("text, line, got", DECIDED)
def test_decisions_on_symbols(text: str, line: int, got: str) -> None:
    assert str(refusal(written(body(text)))) == f"rule f, line {line}: got {got}; expected {CODE}. {CHOOSE}"


@pytest.mark.parametrize("text", ["while True:\n    pass", "for k in (1, 2):\n    w = w + k\nreturn w"])
def test_loops(text: str) -> None:
    found = str(refusal(written(body(text))))
    assert re.match(rf"rule f, line [23]: got a loop; expected {re.escape(CODE)}\. Write its terms out\.$", found)


def test_comprehensions() -> None:
    """A function of its own before Python 3.12, a loop from then on."""
    assert refusal(written(body("return [w for k in (1, 2)][0]"))).got in ("a function inside it", "a loop")


@pytest.mark.parametrize("text, got, expected, remedy", RESULTS)
def test_results_that_are_not_a_number(text: str, got: str, expected: str, remedy: str) -> None:
    assert str(refusal(written(body(text)))) == f"rule f, line 1: got {got}; expected {expected}. {remedy}"


@pytest.mark.parametrize("cycle", CYCLES)
def test_cycles_that_cannot_be_remembered(cycle: str) -> None:
    error = refusal(written(body(f"x = w\nreturn post.at({cycle}) * x")))
    assert str(error) == f"rule f, line 3: got post.at({eval(cycle)!r}); expected {CYCLE}. {FUTURE}"


def test_a_cycle_that_depends_on_an_activity_or_a_number() -> None:
    assert str(refusal(written(body("return pre.at(pre.at(0))")))).startswith("rule f, line 2: got pre.at(pre0);")
    error = refusal(written("def f(pre, *, lag=1.0): return pre.at(lag)"))
    assert str(error).startswith("rule f, line 1: got pre.at(parameter_lag);")


@pytest.mark.parametrize("text, line, got", RAISES)
def test_whatever_it_raises_is_reported(text: str, line: int, got: str) -> None:
    error = refusal(written(body(text)))
    assert error.what == f"rule f, line {line}" and error.got.startswith(got)
    assert (error.expected, error.remedy) == (ARITHMETIC, NUMBER)


@pytest.mark.parametrize(
    "source, got, expected, remedy",
    [
        ("def f(w, rate): return w", "parameter 'rate' without a value", "a number as default", "Write rate=0.1"),
        ("def f(pre, post, w, *rest): return w", "argument *rest", "pre, post, w and named parameters", "Name each"),
        ("def f(pre, post, w, **rest): return w", "argument **rest", "pre, post, w and named parameters", "Name each"),
        ("def f(pre=1, post=0, w=0): return w", "a default for pre", "no default", "Remove the default of pre."),
        ("def f(w, w_remote=1): return w", "a default for w_remote", "no default", "Remove the default of w_remote."),
        ("def f(w, *, seen=[]): return w", "seen=[]", "a finite number", "A parameter is one number"),
        ("def f(w, *, seen=state): return w", "seen={}", "a finite number", "A parameter is one number"),
        ("def f(w, *, on=True): return w", "on=True", "a finite number", "A parameter is one number"),
        ("def f(w, *, rate=1e999): return w", "rate=inf", "a finite number", "A parameter is one number"),
        ("def f(w, *, rate=1e999-1e999): return w", "rate=nan", "a finite number", "A parameter is one number"),
        ("def f(w, *, rate='0.1'): return w", "rate='0.1'", "a finite number", "A parameter is one number"),
    ],
)  # fmt: skip
def test_arguments(source: str, got: str, expected: str, remedy: str) -> None:
    found = str(refusal(written(source)))
    assert found.startswith(f"rule f, line 1: got {got}; expected {expected}. {remedy}")


def test_an_enclosing_function_is_out_of_reach() -> None:
    secret = 0.1

    def f(w):  # type: ignore[no-untyped-def]
        return secret * w

    error = refusal(f)
    line = f.__code__.co_firstlineno
    assert error.what in (f"rule f, line {line}", f"rule f, line {line + 1}")
    assert error.got == "a variable of an enclosing function, 'secret'"
    assert error.expected == f"nothing but its arguments (w), .at(cycle), and {WORDS}"

    @functools.wraps(f)
    def g(*arguments):  # type: ignore[no-untyped-def]
        return f(*arguments)

    assert refusal(g).got == "argument *arguments"
    lying = written(body("return w"))
    lying.__signature__ = "not one"  # type: ignore[attr-defined]
    assert str(local_rule(lying).expression) == "w"


@pytest.mark.parametrize(
    "thing, name, kind",
    [
        (len, "len", "builtin_function_or_method"),
        (functools.partial(lambda w: w), "without a name", "partial"),
        (Setting(), "without a name", "Setting"),
        (Setting, "Setting", "type"),
        (Setting().by_hand, "by_hand", "method"),
        (functools.cache(lambda w: w), "<lambda>", "_lru_cache_wrapper"),
        (np.tanh, "tanh", "ufunc"),
        ("post.at(0) * pre.at(0)", "without a name", "str"),
        (None, "without a name", "NoneType"),
    ],
)  # fmt: skip
def test_what_is_no_function(thing: Any, name: str, kind: str) -> None:
    expected = f"rule {name}: got a {kind}; expected a plain Python function. Write it with def."
    assert str(refusal(thing)) == expected


def test_an_asynchronous_function() -> None:
    assert refusal(written("async def f(w):\n    return w")).got == "async or yield"


def test_positional_only_arguments() -> None:
    assert refusal(written("def f(pre, /, w): return w")).got.startswith("TypeError: f() got some positional-only")


def test_huge_numbers_do_not_hang() -> None:
    """In another process, so that a rule that hangs fails this test and no more."""
    sources = [body(text) for text in HUGE]
    script = (
        "from circuitsim.rules import local_rule\nfrom circuitsim.errors import RuleError\n"
        f"for source in {sources!r}:\n    names = {{}}\n    exec(source, names)\n    try:\n"
        "        local_rule(names['f'])\n    except RuleError as error:\n        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(HUGE)
    assert all(re.match(r"rule f, line [234]: got OverflowError: ", line) for line in lines), lines
    ten_lines = body("return w" + "0" * 0 + " + 1" + "0" * 320)
    assert refusal(written(ten_lines)).got.startswith("the expression w + 1000")


def test_a_weight_elsewhere_is_a_number_and_no_neuron() -> None:
    assert refusal(written("def f(w_remote): return w_remote.at(0)")).got.startswith(
        "AttributeError: 'Symbol' object has no"
    )
    assert refusal(written("def f(w): return w_remote")).got == "the name 'w_remote'"


# ------------------------------------------------------------------------------------------------ what is accepted


def test_certificates_say_all_that_is_read() -> None:
    def read(rule: Any) -> list[tuple[str, int | None]]:
        return [(r.place.value, r.cycle) for r in rule.certificate.readings]

    assert read(recirculation) == [("post", 0), ("post", 1), ("pre", 0)]
    assert read(recirculation.bind(n=2, m=5)) == [("post", 2), ("post", 5), ("pre", 2)]
    assert read(delta) == [("post", 0), ("pre", 0)]
    assert read(oja) == [("post", 0), ("pre", 0), ("synapse", None)]
    assert read(cancelling) == [("post", 0), ("post", 1), ("pre", 0)]
    assert read(local_rule(written("def f(pre): return 2.0"))) == []
    assert read(attracted) == [("pre", 0), ("remote", None), ("synapse", None)]
    assert read(local_rule(written("def f(pre, w_remote): return pre.at(1) + w_remote - w_remote"))) == [("pre", 1)]
    assert Reading(Place.PRE, 0) in delta.certificate.readings and delta.certificate.rule == "delta"


def test_rules_that_compute_the_same_are_written_alike() -> None:
    one, other = (local_rule(written(f"def f(pre, w, *, a=0.5): return {text}")) for text in ("a * w - w", "w * a - w"))
    assert one.text == other.text and one.text.startswith("f{'a': 0.5}: ")
    assert one.text != one.bind(a=0.25).text
    assert (
        local_rule(written("def f(pre, w_remote): return w_remote")).text
        != local_rule(written("def f(pre, w): return w")).text
    )


def test_a_weight_elsewhere_is_what_the_rule_is_given() -> None:
    assert attracted(lambda k: 2.0, None, 1.0, 4.0) == pytest.approx(0.6 * 3 * 2)
    with pytest.raises(TypeError):
        attracted(lambda k: 2.0, None, 1.0)


def test_parameters_are_bound_by_name() -> None:
    assert oja.free == {"decay": 0.3} and oja.bind(decay=0.5).free == {"decay": 0.5}
    assert recirculation.free == {} and dict(recirculation.bind(m=3).parameters) == {"n": 0, "m": 3}
    with pytest.raises(
        RuleError, match=r"rule oja: got parameter 'rate'; expected one of \['decay'\]\. Correct the name"
    ):
        oja.bind(rate=0.1)
    with pytest.raises(RuleError, match=r"rule oja: got decay=inf; expected a finite number\."):
        oja.bind(decay=np.inf)
    with pytest.raises(RuleError, match=r"rule recirculation, line \d+: got pre\.at|post\.at\(-2\)"):
        _ = recirculation.bind(n=-2).certificate


def test_parameters_may_be_any_python_number() -> None:
    made = local_rule(written("def f(pre, post, w, k=2, *, gain=np.float64(0.5)): return gain * pre.at(k) ** k"))
    assert str(made.expression) == "parameter_gain*pre2**2"
    assert made(lambda k: 3.0, None, 0.0) == pytest.approx(4.5)
    assert local_rule(made) is made


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_readings_that_cancel_do_no_harm(backend: str) -> None:
    setting = Setting((64, 6, 64), rule=cancelling)
    made = train(simulator([setting], backend=backend), presentations(2))
    assert made.schedule.windows["A1"] == 3  # it waits for what it asks for


def test_a_bias_for_which_the_rule_has_no_value_is_refused() -> None:
    singular = local_rule(written("def f(pre, post): return post.at(0) / (pre.at(0) - 1)"))
    message = r"rule f of a bias, whose presynaptic activity is 1: got the expression zoo\*post0; expected a finite"
    with pytest.raises(RuleError, match=message):
        train(simulator([Setting((64, 6, 64), rule=singular)]), presentations(1))


def test_a_number_stays_one_that_replicas_can_vary() -> None:
    """A parameter whose default is a float is one, whatever it is bound to; a whole one keeps selecting cycles."""

    @local_rule
    def leaky(post, w, *, decay=0.1, n=0):
        return post.at(n) - decay * w

    assert leaky.bind(decay=1).free == {"decay": 1.0}
    assert leaky.bind(n=2).free == {"decay": 0.1}
    assert [r.cycle for r in leaky.bind(n=2).certificate.readings] == [2, None]
