"""The campaign of the paper's figures: its members, what it measures, tests and writes; golden numbers of `--quick`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, skip_report

from circuitsim.circuits.autoencoder import VARIANTS, variant_coefficients
from circuitsim.runs.config import build
from circuitsim.scenarios.autoencoder import AutoencoderSettings
from circuitsim.scenarios.recirculation_figures.curves import ran_away, without_lost
from circuitsim.scenarios.recirculation_figures.divergence import onset
from circuitsim.scenarios.recirculation_figures.members import halved, members
from circuitsim.scenarios.recirculation_figures.scenario import SCENARIO
from circuitsim.scenarios.recirculation_figures.settings import PARTS, RecirculationFiguresSettings
from circuitsim.scenarios.recirculation_figures.tables import held_in, ordered

GOLDEN = 1e-4  # relative: float32 sums differ in their last digits between machines and backends, by 1e-7 at the end


def named(**keys: Any) -> dict[str, Any]:
    return {member.name: member for member in members(RecirculationFiguresSettings(**keys))}


def test_settings_of_the_paper() -> None:
    """Section 7.2: 0.01, a tenth with three hidden layers, a tenth of that for Lowrank; linear ones bounded by 2."""
    found = named()
    rates = {name: found[name].values["lr"] for name in found if "figure-4" in name or "figure-5" in name}
    assert rates == pytest.approx({
        "figure-4-linear-1": 1e-3, "figure-4-linear-3": 1e-4,
        "figure-5-linear-1": 1e-2, "figure-5-linear-3": 1e-3, "figure-5-tanh-1": 1e-2, "figure-5-tanh-3": 1e-3,
    })  # fmt: skip
    for name, member in found.items():
        linear = member.values.get("output") == "identity"
        assert linear == ("linear" in name or name == "figure-7" or name.startswith("divergence"))
        bound = 2.0 if linear and "max_norm" not in member.vary else None
        assert member.values.get("max_norm") == bound
        assert member.values["batch"] == 100
        made = build(AutoencoderSettings, {**member.values, **{key: one[0] for key, one in member.vary.items()}})
        assert (made.hidden, made.output) == (("identity", "identity") if linear else ("tanh", "logistic"))
    assert found["figure-4-linear-3"].values["sizes"] == [100, 100, 20, 100, 100]
    assert found["figure-6-tanh-1"].values["sizes"] == [784, 20, 784]
    assert found["figure-5-linear-1"].vary == {"rule": ("rec", "bp", "rbp", "srbp", "top"), "seed": [0, 1, 2, 3, 4]}


def test_what_each_figure_varies() -> None:
    found = named(seeds=2, lam=0.25)
    deep = found["figure-8-rec"]
    assert deep.values["sizes"] == [784, *[100] * 10, 784]
    assert deep.vary["lr"] == [halved(RecirculationFiguresSettings()), 0.01]
    assert (
        halved(RecirculationFiguresSettings())[-1] == 0.01 and halved(RecirculationFiguresSettings())[0] == 0.01 / 2**10
    )
    assert found["figure-8-others"].vary["rule"] == ["bp", "top"]
    assert found["figure-9-tanh-3"].vary["variant"] == VARIANTS and found["figure-9-tanh-3"].values["lam"] == 0.25
    ten = found["figure-10-linear-1"]
    assert (ten.vary["cycles"], ten.values["top_rule"]) == ([1, 2, 3, 4, 5], "gradient")
    pairs = {(m.values["reference_cycle"], c) for name, m in found.items() if "pairs" in name for c in m.vary["cycles"]}
    assert pairs == {(n, m) for n in range(5) for m in range(n + 1, 6)}
    assert len(found["lambdas"].vary["lam"]) == 16


def test_the_map_has_the_five_named_points() -> None:
    """Every variant is a cell of the mixtures that are mapped."""
    lam = 0.25
    mapped = {
        (*emits, *remembers)
        for name, member in named(lam=lam).items()
        if name.startswith("mixing")
        for emits in member.vary["emits"]
        for remembers in member.vary["remembers"]
    }
    for variant in VARIANTS:
        found = variant_coefficients(variant, lam, 3)
        cell = tuple(found[layer, q] for q in ("emits", "remembers") for layer in ("layer0", "layer1"))
        assert cell in mapped


def test_figures_that_are_not_asked_for_are_left_out() -> None:
    assert set(named(figures=[10, "lambdas"], hidden_layers=[1])) == {
        "figure-10-linear-1",
        "figure-10-tanh-1",
        "lambdas",
    }
    assert [m.optional for m in members(RecirculationFiguresSettings(figures=[4], dataset="mnist"))] == [False, False]
    assert all(m.optional for m in members(RecirculationFiguresSettings(figures=[5, 6, 7])))


def test_the_order_and_who_ran_away_by_hand() -> None:
    good = {"REC": 2.0, "BP": 1.0, "RBP": 4.0, "SRBP": 5.0, "TOP": 6.0}
    assert ordered(good) == (True, True, True)
    assert ordered(good | {"REC": 3.0}) == (False, True, True)
    assert ordered(good | {"REC": 4.5, "SRBP": 7.0}) == (False, False, False)
    assert held_in([(True, True, True), (False, True, True)]) == ["1 of 2", "2 of 2", "2 of 2", "1 of 2"]
    assert held_in([]) == ["0 of 0"] * 4
    curves = {"REC": np.array([[9.0, 9, 9], [1, 9, np.nan]]), "BP": np.array([[9.0, 9, 9], [1, 1, 1]])}
    assert list(ran_away(curves)) == [False, True, True]
    curves = {"REC": np.array([[9.0, 9, 9], [10, 8, 10], [1, np.nan, 9]])}
    drawn = [[9.0, 9, 9], [10, 8, np.nan], [1, np.nan, np.nan]]
    np.testing.assert_equal(without_lost(curves)["REC"], drawn)  # what comes back did not run away


def test_onset_by_hand() -> None:
    assert onset(np.array([4.0, 2, 1, 1.9, 2.1, 1])) == 4
    assert onset(np.array([4.0, 2, np.nan, np.nan])) == 2
    assert onset(np.array([4.0, 2, 3, 3])) is None


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All figures, the quick setting."""
    out = tmp_path_factory.mktemp("figures") / "run"
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        patch.setenv("CIRCUITSIM_DATA", str(out.parent))  # without Fashion-MNIST, whoever runs this
        assert circuitsim("run", "recirculation-figures", "--quick", "--out", out) == 0
    return out


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "figures" / f"{name}.csv")


@pytest.mark.nightly
def test_what_is_written(ran: Path) -> None:
    drawn = {f"figure-{n}" for n in (4, 5, 7, 8, 9, 10)}
    drawn |= {"error-recirculation", "mixing", "lambdas", "cycle-pairs", "divergence-data", "divergence-zero"}
    tables = {f"figure-{n}-final" for n in (4, 5, 8, 9, 10)}
    tables |= {"error-recirculation-final", "order", "optimum", "divergence"}
    expected = {f"{name}.{form}" for name in drawn for form in ("svg", "csv")} | {f"{name}.csv" for name in tables}
    assert {path.name for path in (ran / "figures").iterdir()} == expected
    page = (ran / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == len(drawn)
    assert "figure-6-linear-1, figure-6-linear-3, figure-6-tanh-1, figure-6-tanh-3: skipped: data set" in page
    assert "<image" in (ran / "figures" / "figure-7.svg").read_text()
    for text in ("CCRCC", "RWCC", "RCC", "remembers"):
        assert text in (ran / "figures" / "mixing.svg").read_text()


@pytest.mark.nightly
def test_tables_are_of_the_metrics(ran: Path) -> None:
    frame, final = metrics(ran), table(ran, "figure-5-final").set_index(["panel", "metric", "label"])
    own = frame[(frame["member"] == "figure-5-tanh-1") & (frame["rule"] == "srbp") & (frame["epoch"] == 4)]
    values = own[(own["split"] == "test") & (own["metric"] == "bce")]["value"]
    row = final.loc["digits, tanh, 8", "bce", "SRBP"]
    np.testing.assert_allclose((row["mean"], row["SD"], row["seeds"]), (values.mean(), values.std(), 2))
    cell = table(ran, "mixing").set_index(["panel", "circuit"])["mean"]
    plain = cell["layer 0, hidden layers plain", "emits 0, remembers 0"]
    assert plain == cell["hidden, layer 0 plain", "emits 0, remembers 0"]
    nine = table(ran, "figure-9-final").set_index(["panel", "metric", "label"])["mean"]
    both = "hidden, layer 0 both 0.5"
    for variant, place in (
        ("RCC", "emits 0, remembers 0"),
        ("CCRCC", "emits 0, remembers 0.5"),
        ("RWCC", "emits 0.5, remembers 0.5"),
    ):
        assert nine["digits, tanh, 16-8-16", "bce", variant] == pytest.approx(cell[both, place], rel=1e-6)


@pytest.mark.nightly
def test_reconstructions_are_of_the_weights_that_were_trained(ran: Path) -> None:
    """Figure 7's first ten examples have about the error of the whole test split."""
    found = table(ran, "figure-7").groupby("circuit")["mse"].mean()
    frame = metrics(ran)
    own = frame[(frame["member"] == "figure-7") & (frame["epoch"] == 4) & (frame["split"] == "test")]
    for rule, start in (("bp", "data"), ("srbp", "zero"), ("rec", "zero")):
        whole = own[(own["rule"] == rule) & (own["output_bias"] == start) & (own["metric"] == "mse")]["value"].item()
        assert found[f"{rule.upper()}, output bias {start}"] == pytest.approx(whole, rel=0.5)


GOLD: dict[tuple[str, str, str], float] = {
    ("figure-4-final", "lowrank, linear, 16-8-16", "REC"): 9.99052,
    ("figure-4-final", "lowrank, linear, 16-8-16", "BP"): 11.2738,
    ("figure-5-final", "digits, linear, 8", "REC"): 0.048467,
    ("figure-5-final", "digits, tanh, 8", "REC"): 25.1662,
    ("figure-5-final", "digits, tanh, 8", "RBP"): 26.414,
    ("figure-5-final", "digits, tanh, 16-8-16", "SRBP"): 27.3848,
    ("figure-8-final", "digits, tanh, 5 × 16", "REC′"): 26.6667,
    ("figure-8-final", "digits, tanh, 5 × 16", "REC"): 24.5752,
    ("figure-9-final", "digits, tanh, 16-8-16", "RWCC"): 27.3219,
    ("figure-10-final", "digits, tanh, 8", "REC 3"): 25.0791,
    ("error-recirculation-final", "digits, tanh, 8", "errors, with biases"): 25.8506,
    ("error-recirculation-final", "digits, tanh, 8", "errors, no biases"): 27.6225,
    ("mixing", "hidden, layer 0 remembers 0.5", "emits 0.5, remembers 0"): 27.3401,
    ("lambdas", "two lambdas", "CCRCC 0.5, 0"): 27.3253,
    ("cycle-pairs", "n = 1", "n = 1, m = 3"): 27.3966,
}


@pytest.mark.nightly
@pytest.mark.parametrize("key", GOLD, ids=" ".join)
def test_golden_numbers(ran: Path, key: tuple[str, str, str]) -> None:
    name, panel, label = key
    rows = table(ran, name)
    row = rows[(rows["panel"] == panel) & (rows["label" if "label" in rows else "circuit"] == label)]
    assert row["mean"].iloc[0] == pytest.approx(GOLD[key], rel=GOLDEN)


@pytest.mark.nightly
def test_one_figure_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the golden number that it has beside the others, and files of its own."""
    skip_report(monkeypatch)
    sets = ["--set", "figures=[10]", "--set", "hidden_layers=[1]"]
    assert circuitsim("run", "recirculation-figures", "--quick", *sets, "--out", tmp_path / "run") == 0
    rows = table(tmp_path / "run", "figure-10-final").set_index(["panel", "label"])
    assert rows.loc[("digits, tanh, 8", "REC 3"), "mean"].iloc[0] == pytest.approx(
        GOLD["figure-10-final", "digits, tanh, 8", "REC 3"], rel=GOLDEN
    )
    written = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert written == {"figure-10.svg", "figure-10.csv", "figure-10-final.csv"}


@pytest.mark.nightly
def test_without_a_bound_it_runs_away_once_the_step_is_beyond_two(ran: Path) -> None:
    """Those that ran away later than in the first stretch, before whose end nothing is measured."""
    rows = table(ran, "divergence").set_index(["output bias", "bound", "rate"])
    assert list(rows.loc["data", "no bound", 0.04]["ran away in"] != "–") == [True, True]
    for rate in (0.02, 0.04):
        trained = rows.loc["data", "bound 1", rate]
        assert (trained["ran away in"] == "–").all() and (trained["test mse at the end"] < 0.05).all()
    late = rows[~rows["ran away in"].isin(["–", "1"])]
    assert len(late) >= 2 and (late["step before"] > 2).all()
    steady = rows[rows["test mse at the end"] < 0.05]
    np.testing.assert_allclose(steady["gain before"], 1, atol=0.05)


REFUSED = {
    "figures=[3]": r"key figures: got \[3\]; expected a list of at least one of 4, .*, divergence, each once\. Correct",
    "figures=[]": r"key figures: got \[\]; expected",
    "figures=[5,5]": r"key figures: got \[5, 5\]; expected",
    "dataset=faces": r"key dataset: got 'faces'; expected one of digits, cluttered-digits, mnist, fashion-mni",
    "hidden_layers=[2]": r"key hidden_layers: got \[2\]; expected a list of at least one of 1, 3, each once",
    "output_bias=mean": r"key output_bias: got 'mean'; expected data or zero",
    "mixing=[0.5,0]": r"key mixing: got \[0\.5, 0(\.0)?\]; expected a list of numbers from 0 to below 1, ascending, 0",
    "mixing=[0,0.25]": r"key mixing: got .*; expected .* 0 and lam among them",
    "mixing=[0,0.5,1]": r"key mixing: got .*; expected",
    "bounds=[0]": r"key bounds: got \[0(\.0)?\]; expected a list of at least one of none and numbers above 0",
    'bounds=["some"]': r"key bounds: got \['some'\]; expected",
    "rates=[0]": r"key rates: got \[0(\.0)?\]; expected a list of at least one number above 0, each once, times",
    "rates=[]": r"key rates: got \[\]; expected",
    "seeds=1": r"key seeds: got 1; expected a whole number from 2 to 1000",
    "lam=1": r"key lam: got 1; expected a number from 0 to below 1",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_refusals(setting: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "recirculation-figures", "--out", tmp_path / "run", "--set", setting) == 2
    assert re.search(REFUSED[setting], capfd.readouterr().err.replace("\n", " "))
    assert not (tmp_path / "run").exists()


def test_quick_is_quick() -> None:
    settings = RecirculationFiguresSettings(**SCENARIO.quick)
    assert settings.figures == list(PARTS) and settings.dataset == "digits"
    presentations = settings.epochs * settings.train_limit // settings.batch  # type: ignore[operator]
    assert presentations <= 200 and settings.interval * settings.intervals <= 500
