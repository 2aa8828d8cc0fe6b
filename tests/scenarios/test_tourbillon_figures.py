"""The campaign of Tourbillon's figures: its members, what it makes of them, golden numbers of a quick run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, final, metrics, skip_report

from circuitsim import data
from circuitsim.analysis.reports.embedding import draw_embeddings, embedded, neighbours
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import ConfigError
from circuitsim.runs.config import build
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.scenario import Member, expect_circuits
from circuitsim.scenarios import tourbillon
from circuitsim.scenarios.tourbillon import TourbillonSettings
from circuitsim.scenarios.tourbillon_figures.members import by_part, intervals, members
from circuitsim.scenarios.tourbillon_figures.samples import downward, upward
from circuitsim.scenarios.tourbillon_figures.scenario import SCENARIO
from circuitsim.scenarios.tourbillon_figures.settings import PARTS, TourbillonFiguresSettings

GOLDEN = 2e-4  # relative: float32 sums differ in their last digits between machines and backends


def keys(**values: Any) -> TourbillonFiguresSettings:
    return build(TourbillonFiguresSettings, values)


def named(**values: Any) -> dict[str, Member]:
    return {member.name: member for member in members(keys(**values))}


# ------------------------------------------------------------------------------------------------------------- members


def test_settings_of_the_paper() -> None:
    """Section 6.2: batches of 64; REC 0.01 and 0.001; FA and BP 0.01, momentum 0.8; all falling by 0.9 an epoch."""
    found = named(datasets=["mnist"])
    block, others = found["figure-3-mnist-paper"].values, found["figure-3-mnist-others"].values
    assert block["sizes"] == others["sizes"] == [784, 256, 10]
    assert (block["lr"][0], block["decoder_lr"], block["lr_decay"], block.get("momentum", 0)) == (0.01, 0.001, 0.9, 0)
    assert (others["lr"][0], others["decoder_lr"], others["lr_decay"], others["momentum"]) == (0.01, 0.01, 0.9, 0.8)
    assert found["figure-3-mnist-ours"].values["lr"][0] == found["figure-3-mnist-ours"].values["decoder_lr"] == 0.05
    layered = found["figure-4-mnist-others"]
    assert (layered.values["lr"], layered.values["momentum"], layered.values["lr_decay"]) == (0.01, 0.8, 0.9)
    assert layered.values["sizes"] == found["figure-4-mnist-tourbillon"].values["sizes"] == [784, 256, 64, 10]
    assert found["table1-unet"].values["sizes"] == found["table1-unet-bp"].values["sizes"] == [784, 128, 64, 128, 784]
    assert {member.values["batch"] for member in found.values()} == {64}
    assert len(found["nest"].vary["seed"]) == 10 and len(found["tuning-others"].vary["seed"]) == 5


def test_all_members_are_what_their_scenarios_take() -> None:
    """Every replica is built; what is compared in a figure has the same seeds and as many epochs."""
    for member in members(keys(datasets=["digits"])):
        scenario = expect_circuits(load_scenario(member.scenario), "scenario")
        first = {key: values[0] for key, values in member.vary.items()}
        built = build(scenario.settings, {**member.values, **first})
        scenario.check(built, data.load("digits"))
        assert not member.optional
    four = named(datasets=["digits"], figures=[4])
    grown, others = four["figure-4-digits-tourbillon"], four["figure-4-digits-others"]
    made = build(TourbillonSettings, grown.values)
    assert sum(stage.epochs for stage in tourbillon.design(made).stages) == others.values["epochs"] == 20
    assert grown.vary["seed"] == others.vary["seed"]


def test_what_is_shared_runs_once() -> None:
    each = by_part(keys(datasets=["mnist"]))
    assert [member.name for member in each[5]] == [member.name for member in each[3]][:2]
    assert each["tuning"][0].name == each["schedules"][0].name == each[4][0].name == "figure-4-mnist-tourbillon"
    names = [member.name for member in members(keys(datasets=["mnist"]))]
    assert len(names) == len(set(names)) == 23
    assert set(named(figures=["nest"])) == {"nest", "nest-inner-first", "nest-autoencoder"}
    both = named(figures=[7, 9])
    assert set(both) == {"figure-7-mnist", "figure-7-fashion-mnist"} and all(m.optional for m in both.values())


def test_blocks_of_the_u_net_have_rates_of_their_own() -> None:
    """The second block's hold for those above it; an output block has no bound."""
    found = named(figures=["table1"], datasets=["mnist"])
    plain, closed = (found[f"table1-unet{end}"].values for end in ("", "-output-block"))
    assert (plain["decoder_lr"], closed["decoder_lr"]) == ([0.05, 0.1, 0.1], [0.05, 0.1, 0.1, 0.1])
    assert (plain["bounds"], closed["bounds"]) == ([0, 0.15, 0.15], [0, 0.15, 0.15, 0])
    assert plain["lr"] == closed["lr"] == [0.05, 0.005, 0.005, 0.1]
    assert "table1-unet" not in named(figures=["table1"], output_block=[True])
    assert named(figures=["table1"], unet=[100, 50, 20])["table1-unet"].values["sizes"] == [
        784, 100, 50, 20, 50, 100, 784
    ]  # fmt: skip


def test_intervals_are_the_shortest_that_timetables_allow() -> None:
    found = named(figures=["schedules"], datasets=["digits"])["schedules-overlap"]
    assert intervals(dict(found.values)) == found.vary["interval"] == [4, 3]


def test_longer_growth_ends_with_the_same_rates() -> None:
    found = named(figures=["schedules"], datasets=["digits"])
    own, longer = found["schedules-asynchronous"].values, found["schedules-longer"].values
    assert longer["epochs"] == 3 * own["epochs"]
    assert longer["lr_decay"] ** longer["epochs"] == pytest.approx(own["lr_decay"] ** own["epochs"])


# ------------------------------------------------------------------------------------------------------- what it draws


def test_activity_up_and_down_is_the_circuits() -> None:
    """NumPy of final weights against the circuit that has them."""
    made = tourbillon.design(build(TourbillonSettings, {"sizes": [64, 12, 8, 10]}))
    simulator = Simulator(made.circuit, made.protocol, batch=5, dtype="float64", backend="numpy")
    x = data.load("digits").test[:5].astype(np.float64)
    asked = [(name, "O", 0) for name in ("layer1", "layer2", "image0", "image1")]
    ((_, expected),) = simulator.observe(asked, x)
    own = {name: values[0] for name, values in simulator.tensors().items()}
    hinges = upward(own, x)
    decoded = np.tanh(hinges[2] @ own["D2.weight"].T + own["D2.bias"])
    for one, other in zip((hinges[1], hinges[2], downward(own, hinges[1], 1), decoded), expected, strict=True):
        np.testing.assert_allclose(one, other[0], atol=1e-12)
    np.testing.assert_allclose(downward(own, hinges[2], 2), downward(own, decoded, 1))


def test_an_environment_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    text = r"^embedding in two dimensions: got an environment without scikit-learn; expected scikit-learn, w"
    with pytest.raises(ConfigError, match=text):
        embedded(np.zeros((40, 3)), 0)


def test_neighbours_and_maps_of_separate_classes() -> None:
    draw = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 30)
    x = draw.normal(size=(90, 5)) + 20 * np.eye(5)[classes]
    assert neighbours(x, classes) == 1 and neighbours(draw.normal(size=(90, 5)), classes) < 0.6
    flat = embedded(x, 0)
    assert flat.shape == (90, 2) and neighbours(flat, classes) == 1
    assert (embedded(x, 0) == flat).all()
    image = draw_embeddings({"one": (flat, classes), "two": (flat, classes)})
    assert "one: 90 points, two: 90 points" in image.alt


# --------------------------------------------------------------------------------------------------------- a quick run


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All figures, the quick setting, on a third of its examples, without Fashion-MNIST, whoever runs this."""
    out = tmp_path_factory.mktemp("figures") / "run"
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        patch.setenv("CIRCUITSIM_DATA", str(out.parent))
        sets = ["train_limit=300", "test_limit=100", 'datasets=["digits","fashion-mnist"]']
        options = [part for one in sets for part in ("--set", one)]
        assert circuitsim("run", "tourbillon-figures", "--quick", *options, "--out", out) == 0
    return out


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "figures" / f"{name}.csv")


@pytest.mark.nightly
def test_what_is_written(ran: Path) -> None:
    drawn = {"figure-3", "figure-4", "figure-5", "figure-6-digits", "figure-7", "figure-9-digits"}
    drawn |= {"tuning", "bounds", "schedules", "nest"}
    tables = {f"{name}-final" for name in ("figure-3", "figure-4", "figure-5", "tuning", "schedules", "nest")}
    tables |= {"collapse", "table-1", "starts"}
    expected = {f"{name}.{form}" for name in drawn for form in ("svg", "csv")} | {f"{name}.csv" for name in tables}
    assert {path.name for path in (ran / "figures").iterdir()} == expected
    page = (ran / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == len(drawn)
    assert "figure-7-fashion-mnist: skipped: data set" in page
    assert "Test accuracy, %: digits, Tourbillon, before fine-tuning: " in page
    assert "which lowers |O(0) - O(1)|^2" in page
    for text in ("bound of hinge neurons", "encoder rate", "none"):
        assert text in (ran / "figures" / "bounds.svg").read_text()


@pytest.mark.nightly
def test_tables_are_of_the_metrics(ran: Path) -> None:
    frame = metrics(ran)
    frame = frame[frame["split"] == "test"]

    def values(member: str, metric: str, epoch: int, **only: object) -> np.ndarray:
        own = frame[(frame["member"] == member) & (frame["metric"] == metric) & (frame["epoch"] == epoch)]
        for key, value in only.items():
            own = own[own[key] == value]
        return np.asarray(own["value"])

    three = table(ran, "figure-3-final").set_index(["panel", "label"])["mean"]
    expected = values("figure-3-digits-ours", "mse/1", 4, block_rule="rec").mean()
    assert three["digits, test", "REC, our rates"] == pytest.approx(expected)
    four = table(ran, "figure-4-final").set_index(["split", "circuit"])
    error = {epoch: values("figure-4-digits-tourbillon", "error", epoch) for epoch in (8, 11)}
    for label, epoch in (("Tourbillon, before fine-tuning", 8), ("Tourbillon", 11)):
        row = four.loc["test", label]
        assert (row["accuracy (%)"], row["seeds"]) == (pytest.approx(100 - error[epoch].mean()), 2)
    ended = table(ran, "tuning-final").set_index("channel")
    assert ended.loc["decoders", "before"].startswith(f"{error[8].mean():.4g} ± ")
    assert ended.loc["decoders", "worst seed at the end"] == error[11].max()
    alone = table(ran, "starts").set_index("blocks grew by")
    assert alone.loc["recirculation", "test error (%)"] == pytest.approx(error[8].mean())
    random = values("tuning-blocks", "mse/2", 8, block_rule="rbp").mean()
    assert alone.loc["random feedback", "mse of block 2"] == pytest.approx(random)
    mapped = table(ran, "bounds").set_index("circuit")["mean"]
    cell = frame[(frame["member"] == "bounds") & (frame["metric"] == "mse/2") & (frame["epoch"] == 6)]["value"]
    assert mapped["bound none, rate 0.1"] == pytest.approx(cell.iloc[-1]) and len(mapped) == 4


@pytest.mark.nightly
def test_starts_are_the_same_to_the_bit(ran: Path) -> None:
    """Before fine-tuning all channels have the same error; twins are measured at the end of growth and of tuning."""
    rows = table(ran, "tuning")
    before = rows[(rows["panel"] == "digits, blocks and top have grown") & (rows["epoch of tuning"] == 0)]
    assert len(before) == 7 and before["mean"].nunique() == 1
    rows = table(ran, "table-1")
    assert list(rows["trained"]) == ["BP", "twin, before fine-tuning", "twin"] * 2
    assert rows["paper: test"].tolist()[:3] == ["1.18 (0.20)", "–", "5.82 (0.40)"]


@pytest.mark.nightly
def test_schedules_side_by_side(ran: Path) -> None:
    rows = table(ran, "schedules-final").set_index("schedule")
    assert list(rows.index) == [
        "sequential", "lag", "asynchronous", "asynchronous, longer",
        "asynchronous, every 4 ticks", "asynchronous, every 3 ticks",
    ]  # fmt: skip
    assert rows["epochs of growth"].tolist() == [8, 4, 3, 9, 3, 3]
    assert rows["ticks from example to example"].tolist()[-2:] == [4, 3]
    same = rows.loc[["asynchronous", "asynchronous, every 4 ticks"], "block 2: error (mse)"]
    assert same.nunique() == 1
    assert rows.loc["sequential", "% more than sequential: test error"] == 0


@pytest.mark.nightly
def test_reconstructions_are_of_the_weights_that_were_trained(ran: Path) -> None:
    frame, stack = metrics(ran), table(ran, "figure-9-digits").set_index("path")["mse"]
    own = frame[(frame["member"] == "figure-7-digits") & (frame["epoch"] == 6) & (frame["split"] == "test")]
    assert stack["up to hinge 1 of 32 units and down"] == pytest.approx(
        own[own["metric"] == "mse/1"]["value"].item(), rel=1e-5
    )
    six = table(ran, "figure-6-digits").set_index("rule")
    collapse = table(ran, "collapse").set_index(["rates", "rule"])
    rule = "symmetric (eq. 4)"
    assert six.loc[f"{rule}, our rates", "variance over inputs / of inputs"] == pytest.approx(
        frame[(frame["member"] == "figure-3-digits-ours") & (frame["block_rule"] == "rec-symmetric")
              & (frame["seed"] == 0) & (frame["epoch"] == 4) & (frame["split"] == "test")
              & (frame["metric"] == "spread/1")]["value"].item(), rel=1e-4)  # fmt: skip
    assert six.loc["the mean of the training images", "variance over inputs / of inputs"] == pytest.approx(0, abs=1e-12)
    assert collapse.loc[("our rates", rule), "norm of E / at start"] < 1
    assert collapse.loc[("our rates", "recirculation (eq. 3)"), "norm of E / at start"] > 1
    tensors = final(ran / "members" / "figure-3-digits-ours")
    assert tensors["E1.weight"].shape == (4, 32, 64)


@pytest.mark.nightly
def test_hinges_of_test_images(ran: Path) -> None:
    rows = table(ran, "figure-7")
    assert list(rows["space"]) == ["input", "hinge 1", "hinge 2", "t-SNE"]
    assert list(rows["dimensions"]) == [64, 32, 16, 2] and set(rows["examples"]) == {100}
    assert (rows["neighbours of the same class (%)"] > 20).all()


GOLD: dict[tuple[str, str, str], float] = {
    ("figure-3-final", "digits, test", "REC, our rates"): 0.0569733,
    ("figure-3-final", "digits, test", "FA"): 0.0704788,
    ("figure-3-final", "digits, test", "BP"): 0.064649,
    ("figure-5-final", "digits, our rates", "symmetric (eq. 4)"): 0.0771869,
    ("nest-final", "digits, 64-32-16-32-64", "nest, all loops"): 0.0771561,
    ("nest-final", "digits, 64-32-16-32-64", "nest, all loops, tuned"): 0.0762473,
    ("nest-final", "digits, 64-32-16-32-64", "nest, inner loops first"): 0.0799169,
    ("nest-final", "digits, 64-32-16-32-64", "autoencoder, REC"): 0.0701786,
    ("nest-final", "inner loops", "nest, inner loop alone"): 0.0655396,
}


@pytest.mark.parametrize("key", GOLD, ids=" ".join)
@pytest.mark.nightly
def test_golden_numbers(ran: Path, key: tuple[str, str, str]) -> None:
    name, panel, label = key
    rows = table(ran, name)
    row = rows[(rows["panel"] == panel) & (rows["label"] == label)]
    assert row["mean"].iloc[0] == pytest.approx(GOLD[key], rel=GOLDEN)


@pytest.mark.nightly
def test_figures_are_drawn_again_of_what_is_on_disk(ran: Path) -> None:
    """`resume` of a campaign that is complete trains nothing and writes the same."""
    names = ("figure-4.csv", "figure-5.svg", "tuning.svg", "table-1.csv", "bounds.svg", "schedules-final.csv")
    written = {name: (ran / "figures" / name).read_bytes() for name in names}
    for name in names:
        (ran / "figures" / name).unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIRCUITSIM_DATA", str(ran.parent))
        patch.setattr("circuitsim.scenarios.tourbillon_figures.samples.embedded", lambda x, _: x[:, :2])
        assert circuitsim("resume", ran) == 0
    assert {name: (ran / "figures" / name).read_bytes() for name in names} == written


# ------------------------------------------------------------------------------------------------------------ refusals

REFUSED = {
    "figures=[8]": r"key figures: got \[8\]; expected a list of at least one of 3, .*, nest, each once\. Correct",
    "figures=[]": r"key figures: got \[\]; expected",
    "figures=[4,4]": r"key figures: got \[4, 4\]; expected",
    'datasets=["cifar10"]': r"key datasets: got \['cifar10'\]; expected a list of at least one of digits, clut",
    "datasets=[]": r"key datasets: got \[\]; expected",
    "hinges=[8]": r"key hinges: got \[8\]; expected a list of two whole numbers >= 1, units of each block's hinge",
    "hinges=[8,0]": r"key hinges: got \[8, 0\]; expected",
    "unet=[]": r"key unet: got \[\]; expected a list of at least one whole number >= 1, units of the encoder's layers",
    "output_block=[]": r"key output_block: got \[\]; expected a list of at least one of true, false, each once",
    "seeds=1": r"key seeds: got 1; expected a whole number from 2 to 1000",
    "nest_seeds=1": r"key nest_seeds: got 1; expected a whole number from 2 to 1000",
    "map_seeds=0": r"key map_seeds: got 0; expected a whole number from 1 to 1000",
    "epochs=0": r"key epochs: got 0; expected a whole number >= 1, of each block of a stack",
    "single_epochs=0": r"key single_epochs: got 0; expected a whole number >= 1, of a block alone",
    "top_epochs=0": r"key top_epochs: got 0; expected a whole number >= 1, of the top layer alone",
    "tuning_epochs=0": r"key tuning_epochs: got 0; expected a whole number >= 1, of fine-tuning",
    "nest_epochs=0": r"key nest_epochs: got 0; expected a whole number >= 1, of circuits with loops in loops",
    "single_lr=[0.1]": r"key single_lr: got \[0\.1\]; expected a number >= 0, or a list with one for the encoder",
    "bounds=[0,-1]": r"key bounds: got \[0(\.0)?, -1(\.0)?\]; expected a list of two numbers >= 0, for each block, 0",
    "single_lr=-1": r"key single_lr: got -1(\.0)?; expected a number >= 0, or a list",
    "lr=[0.1]": r"key lr: got \[0\.1\]; expected a list of three numbers >= 0, for each layer",
    "decoder_lr=[0.1]": r"key decoder_lr: got \[0\.1\]; expected a list of two numbers >= 0, for each block",
    "bounds=[0.1]": r"key bounds: got \[0\.1\]; expected a list of two numbers >= 0, for each block",
    "tuning_lr=[0.1]": r"key tuning_lr: got \[0\.1\]; expected a list of three numbers >= 0, for each layer",
    "lr_decay=0": r"key lr_decay: got 0; expected a number above 0",
    "momentum=1": r"key momentum: got 1; expected a number from 0 to below 1",
    "map_bounds=[-1]": r"key map_bounds: got \[-1(\.0)?\]; expected a list of at least one number >= 0, each once, 0",
    "map_rates=[0.1,0.1]": r"key map_rates: got \[0\.1, 0\.1\]; expected a list of at least one number >= 0, each once",
    "examples=10": r"key examples: got 10; expected a whole number >= 20, test images of figure 7",
    "nest_lr=[0.1]": r"key nest_lr: got \[0\.1\]; expected a list of two numbers >= 0, of the outer loop",
    "nest_inner=[0.1,-1]": r"key nest_inner: got \[0\.1, -1(\.0)?\]; expected a list of two numbers >= 0, to the core",
    "nest_other_lr=[0.1]": r"key nest_other_lr: got \[0\.1\]; expected a list of four numbers >= 0",
    "inner_first=11": r"key inner_first: got 11; expected a whole number >= 0, no more than nest_epochs",
    "nest_bound=-1": r"key nest_bound: got -1; expected a number >= 0, 0 for none",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_refusals(setting: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sets = ["--set", setting] if setting.startswith("datasets") else ["--set", 'datasets=["digits"]', "--set", setting]
    assert circuitsim("run", "tourbillon-figures", "--out", tmp_path / "run", *sets) == 2
    assert re.search(REFUSED[setting], capfd.readouterr().err.replace("\n", " "))
    assert not (tmp_path / "run").exists()


def test_quick_is_quick() -> None:
    settings = build(TourbillonFiguresSettings, SCENARIO.quick)
    assert settings.figures == list(PARTS) and settings.datasets == ["digits"] and len(members(settings)) <= 22
    presentations = settings.epochs * (settings.train_limit or 10**9) // settings.batch
    assert presentations <= 200
