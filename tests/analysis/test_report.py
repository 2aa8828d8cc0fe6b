"""The report: a single file that opens offline, describes the whole run, and copes with unusual runs."""

from __future__ import annotations

import base64
import itertools
import re
import sys
from functools import cache
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pandas as pd
import pytest

from circuitsim.analysis.audits.audit import audit, audit_all
from circuitsim.analysis.audits.examine import examine
from circuitsim.analysis.reports.drawing import circuit_figure
from circuitsim.analysis.reports.figure_files import FigureFiles
from circuitsim.analysis.reports.groups import group_results
from circuitsim.analysis.reports.layout import arrange
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.plots import STYLE
from circuitsim.analysis.reports.report import Reconstructions, ReportData, write_report
from circuitsim.analysis.reports.report import render as render_keeping
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.timetable.schedule import make_schedule

VOID = {"meta", "img", "br", "hr", "link", "input"}
COLUMNS = ["replica", "epoch", "split", "metric", "value"]


class Checked(HTMLParser):
    """Collects text, images and headings; fails on tags that do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text, self.images, self.tags = "", [], set()
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def render(data):
    return render_keeping(data, FigureFiles())


def scheduled(rule="rec", sizes=(8, 3, 8), **options):
    return make_schedule(*circular_autoencoder(list(sizes), rule, **options))


def metrics(replicas=1, epochs=3, value=lambda replica, epoch: 0.1 / (1 + epoch + replica), **varied):
    """Make a table as runs write it; `varied` gives each replica's value of a key."""
    rows = [
        (r, e, split, metric, value(r, e) * (100 if metric == "bce" else 1))
        for r, e, split, metric in itertools.product(
            range(replicas), range(epochs + 1), ("train", "test"), ("mse", "bce")
        )
    ]
    rows += [(r, e, "train", "seconds", 0.5) for r in range(replicas) for e in range(1, epochs + 1)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    for key, values in varied.items():
        frame[key] = [values[r] for r in frame["replica"]]
    return frame


REC = (("rec", scheduled()),)


@cache
def audited_rec():
    """Audit the circuit of most reports, with the intervention."""
    return audited(REC)


def audited(circuits):
    """Audit all circuits, with the intervention on the first of them."""
    first = circuits[0][1]
    others = [(label, audit([schedule])) for label, schedule in circuits[1:]]
    return audit_all([(circuits[0][0], examine(first.circuit, first.protocol, seed=0)), *others])


def measured(metrics, **changes):
    """Return a report of metrics without circuits, whose drawings take most of the time."""
    return report(metrics=metrics, circuits=(), audit=None, **changes)


def report(**changes):
    circuits = changes.setdefault("circuits", REC)
    if "audit" not in changes:
        changes["audit"] = audited_rec() if circuits is REC else audited(circuits)
    given = {
        "title": "a run",
        "config": {"rule": "rec", "lr": 0.1, "versions": {"numpy": "2.0"}, "vary": {}},
        "metrics": metrics(),
    }
    return ReportData(**(given | changes))


@pytest.fixture(scope="module")
def whole():
    rules = ["rec", "bp"]
    circuits = tuple((rule, scheduled(rule)) for rule in rules)
    originals = np.random.default_rng(0).random((4, 8))
    config = {"lr": 0.1, "sizes": [8, 3, 8], "versions": {"numpy": "2.0.1"}, "vary": {"rule": rules, "seed": [1, 2]}}
    data = report(
        config=config | {"rule": ["rec", "rec", "bp", "bp"]},
        metrics=metrics(4, rule=["rec", "rec", "bp", "bp"], seed=[1, 2, 1, 2]),
        varied=("rule", "seed"),
        circuits=circuits,
        reconstructions=Reconstructions(originals, {"rec": originals / 2, "bp": originals}, (1, 2, 4)),
        notes=("replica 3 diverged at epoch 2",),
    )
    return render(data)


def test_it_is_one_file_that_loads_nothing(whole):
    page = Checked(whole)
    assert whole.startswith('<!DOCTYPE html>\n<html lang="en">') and 'name="viewport"' in whole
    assert not page.tags & {"script", "link", "iframe", "object"} and "@import" not in whole
    assert re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:)[^\s"'>]+""", whole) == []
    assert len(whole) < 3_000_000
    for image in page.images:
        assert image["alt"] and image["src"].startswith(("data:image/svg+xml;base64,", "data:image/png;base64,"))
        assert base64.b64decode(image["src"].partition(",")[2], validate=True)


def test_the_sections_come_in_order(whole):
    assert re.findall("<h2>(.*?)</h2>", whole) == [
        "Learning curves",
        "Final values",
        "Circuits and timetables",
        "Locality audit",
        "Sample reconstructions",
        "Seconds per epoch",
        "Settings",
        "Versions",
    ]


def test_it_reports_the_intervention_and_the_hash_of_the_circuit(whole):
    assert "<h3>Intervention</h3>" in whole and "no forbidden value changed a bit" in whole
    assert "Scorecard, five problems and costs: rec" in whole and "an error signal travels up to 1 hop, 1 tick" in whole
    assert re.search(r"SHA-256 of circuit and rules: circular autoencoder [0-9a-f]{16}; ", whole)


def test_it_tells_metrics_circuits_findings_settings(whole):
    page = Checked(whole)
    alts = " ".join(image["alt"] for image in page.images)
    for metric, split in itertools.product(("mse", "bce"), ("test", "train")):
        assert f"{metric} on {split} data" in alts and f"{split} {metric}" in page.text
    assert alts.count("Circuit ") == 2 and alts.count("Timetable") == 2
    for said in (
        "weight-transport",
        "the transposed weights of A2",
        "give the feedback projection weights and rules of its own",
        "1 of 2 circuits is local in space and time; not local: bp",
        "replica 3 diverged at epoch 2",
        "recirculation cycle",
        "layer0.O(0), A1.weight",
        "2.0.1",
        "[8, 3, 8]",
        "rec, bp",
        "least to the greatest replica",
    ):
        assert said in page.text, said


def test_the_headline_is_the_best_group_with_its_spread():
    varied = {"rule": ["rec", "rec", "bp", "bp"], "seed": [1, 2, 1, 2]}
    data = report(
        metrics=metrics(4, value=lambda r, e: 0.2 if e == 0 else 0.04 - 0.01 * r, **varied), varied=("rule", "seed")
    )
    lead = re.search('<p class="lead">(.*?)</p>', render(data)).group(1)
    assert "After 3 epochs, bp has the lowest test mse, 0.01500 ± 0.0071" in lead
    assert "rec (0.03500 ± 0.0071)" in lead and "means ± SD of 2 replicas" in lead
    assert "The circuit is local in space and time." in lead


def test_everything_is_escaped():
    evil = '<script>alert("&\'$x_1$")</script>'
    circuits = ((evil, scheduled()), (evil + "2", scheduled("bp")))
    outputs = {evil: np.ones((2, 8))}
    found = render(
        report(
            title=evil,
            config={"rule": evil, evil: {evil: [evil]}, "versions": {evil: evil}, "vary": {evil: [evil]}},
            metrics=metrics(2, variant=[evil, "b"]),
            varied=("variant",),
            circuits=circuits,
            reconstructions=Reconstructions(np.zeros((2, 8)), outputs, None),
            notes=(evil,),
        )
    )
    assert "<script" not in found and "script" not in Checked(found).tags
    assert evil in Checked(found).text


@pytest.mark.parametrize(
    "value",
    [
        lambda r, e: np.nan,
        lambda r, e: np.inf if e else 1.0,
        lambda r, e: np.nan if r == 1 and e > 1 else 0.1,
        lambda r, e: 1e300 * (1 + r) if e else -np.inf,
        lambda r, e: 0.0,
        lambda r, e: -1.0 - e,
    ],
    ids=["nan", "inf", "one lost", "huge", "zero", "negative"],
)
def test_values_that_are_not_finite_are_missing(value):
    frame = metrics(3, value=value, rule=["rec", "rec", "bp"])
    Checked(render(measured(frame, varied=("rule",))))


def test_a_lost_replica_is_counted_out():
    frame = metrics(3, seed=[1, 2, 3])
    frame = frame[(frame["replica"] != 1) | (frame["epoch"] < 2)]  # dropped: its rows end
    text = Checked(render(measured(frame, varied=("seed",)))).text
    assert "n = 2 of 3" in text and "2 of 3" in text
    (group,) = group_results(frame, ("seed",), "rec").groups
    assert (group.label, group.replicas, group.final("test", "mse").n) == ("rec", 3, 2)


def test_of_forty_groups_the_best_eight_are_drawn():
    lam = [round(0.01 * i, 2) for i in range(40) for _ in range(5)]
    frame = metrics(200, 2, value=lambda r, e: 1 / (2 + e + r), lam=lam, seed=list(range(200)))
    page = Checked(render(measured(frame, varied=("lam", "seed"))))
    assert "Only the best 8 of 40 groups by final test mse are drawn" in page.text
    assert all(f"lam {v:.6g}" in page.text for v in set(lam))
    curves = [image["alt"] for image in page.images if image["alt"].startswith("mse on test")]
    assert len(curves) == 1 and "8 curves" in curves[0] and "lam 0.39 " in curves[0] and "lam 0.1 " not in curves[0]


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_run_of_one_replica_and_hardly_an_epoch(epochs):
    page = Checked(render(report(metrics=metrics(1, epochs), audit=None)))
    assert "Learning curves" in page.text and "Sample reconstructions" not in page.text


def test_nothing_measured_and_nothing_else_given():
    empty = pd.DataFrame({c: pd.Series(dtype="float64" if c == "value" else "int64") for c in COLUMNS})
    page = Checked(render(ReportData("nothing", {}, empty)))
    assert "No metric of the data was measured" in page.text and page.images == []


def test_metrics_without_data_have_panels_of_their_own():
    extra = pd.DataFrame([(0, e, "train", "angle/W2", 90.0 - e) for e in range(4)], columns=COLUMNS)
    page = Checked(render(measured(pd.concat([metrics(), extra]))))
    assert "Metrics of the circuit" in page.text
    assert any(image["alt"].startswith("angle/W2") for image in page.images)


def test_long_settings_timetables_and_many_circuits_are_cut():
    circuits = tuple((f"cycles {n}", scheduled(cycles=n)) for n in (1, 120, *range(2, 10)))
    config = {"list": list(range(5000)), "seeds": [1, 2] * 100, "text": "x" * 10_000, "nested": {"deep": {"key": 1}}}
    text = Checked(render(report(config=config, circuits=circuits, audit=None))).text
    assert "characters)" in text and "1, 2 (of 200 replicas)" in text and "nested.deep.key" in text
    assert "Not drawn: cycles 8, cycles 9." in text and "The first 400 events are shown" in text
    assert "Shown: the first 48 of" in text


@pytest.mark.parametrize("shape", [None, (1, 4, 6), (3, 2, 4)])
def test_reconstructions_of_images_colours_and_curves(shape):
    originals = np.random.default_rng(0).normal(size=(5, 24))
    outputs = {"rec": originals * 0.5, "lost": np.full_like(originals, np.nan)}
    outputs["lost"][0, 0] = np.inf
    found = render(measured(metrics(), reconstructions=Reconstructions(originals, outputs, shape)))
    assert any("reconstructions by rec, lost" in image["alt"] for image in Checked(found).images)


@pytest.mark.parametrize("rule", ["rec", "bp", "srbp", "top", "error-rec"])
@pytest.mark.parametrize("sizes", [(8, 8), (8, 3, 8), (8, 5, 3, 8), (8, 6, 4, 3, 4, 6, 8)])
def test_in_a_drawn_loop_the_first_and_last_layer_share_a_place_and_nothing_overlaps(rule, sizes):
    circuit = scheduled(rule, sizes).circuit
    layout = arrange(circuit)
    boxes, frames = list(layout.boxes.values()), layout.frames
    assert layout.ring and set(layout.boxes) == {p.name for p in circuit.populations}
    for first, second in itertools.combinations([*boxes, *(a.label for a in layout.arrows)], 2):
        assert not first.meets(second)
    for first, second in itertools.combinations(frames.values(), 2):
        assert not first.meets(second)
    home = frames["layer0"]
    for name in ("layer0", f"layer{len(sizes) - 1}"):
        box = layout.boxes[name]
        assert abs(box.x - home.x) + box.width / 2 <= home.width / 2
        assert abs(box.y - home.y) + box.height / 2 <= home.height / 2


def test_an_open_circuit_with_skips_and_recurrence_is_drawn_in_a_row():
    populations = tuple(Population(name, 3) for name in ("in", "a", "b", "out"))
    ways = [("in", "a"), ("a", "b"), ("b", "out"), ("in", "out"), ("b", "b"), ("out", "a")]
    projections = tuple(Projection(f"P{i}", *way, delay=i + 1) for i, way in enumerate(ways))
    circuit = Circuit("open", populations, projections, inputs="in", outputs="out")
    layout = arrange(circuit)
    columns = [layout.boxes[name].x for name in ("in", "a", "b", "out")]
    assert not layout.ring and columns == sorted(set(columns))
    assert circuit_figure(circuit).uri.startswith("data:image/svg+xml")


def test_a_declared_wire_is_named_in_the_drawing_and_a_local_circuit_has_none():
    def drawn(rule):
        return base64.b64decode(circuit_figure(scheduled(rule).circuit).uri.partition(",")[2]).decode()

    assert "#d55e00" in drawn("bp") and "#d55e00" not in drawn("rbp")


def test_writing_replaces_the_file_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(path, report())
    assert path.read_text().endswith("</html>\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["figures", "report.html"]


def test_names_that_are_not_utf_8_have_escapes(tmp_path):
    shown = measured(metrics(2, rule=["a", "b"]), title="r\udce9sultats")
    shown.config.update(dataset="r\udce8.npz", vary={"rule": ["a", "b"]})
    write_report(tmp_path / "report.html", shown)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "r\\udce9sultats" in text and "r\\udce8.npz" in text


def test_a_report_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(AttributeError):
        write_report(path, report(reconstructions="no reconstructions"))

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_report(path, report())
    assert path.read_text() == "old" and [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_a_report_is_the_same_when_it_is_made_again():
    assert render(report()) == render(report())


def test_drawing_leaves_matplotlib_as_it_was():
    before = {key: matplotlib.rcParams[key] for key in STYLE}
    render(report())
    assert {key: matplotlib.rcParams[key] for key in STYLE} == before
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize(
    ("value", "spelt"),
    [(0.0123456, "0.01235"), (1234.5678, "1235"), (0.5, "0.5000"), (1e-9, "1.000e-09"), (np.nan, "–"), (None, "–")],
)
def test_numbers_have_four_significant_digits(value, spelt):
    assert number(value) == spelt
