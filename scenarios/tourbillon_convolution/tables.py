"""Tables of `tourbillon-convolution`: the map of rates, the columns of table 1, the scorecard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.audits.audit import audit
from circuitsim.analysis.reports.maps import Map, draw_maps
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.analysis.scores.scorecard import scorecard
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.tourbillon import tourbillon
from circuitsim.data import load
from circuitsim.engine.simulator import Simulator
from circuitsim.scenarios.figures import MEANS, SPLITS, exhibit, mean, mean_and_sd
from circuitsim.scenarios.tourbillon_convolution.curves import by_rule
from circuitsim.scenarios.tourbillon_figures.series import Developed
from circuitsim.timetable.schedule import make_schedule

PAPER = {"BP": ("0.0024 (5.8e-05)", "0.0026 (1e-04)"), "twin": ("0.0733 (3.2e-04)", "0.0783 (3.2e-04)")}


def stability(runs: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Map the error of a block over its two rates, with the gain and the step of its loop."""
    (one,) = runs
    up, down = config["map_encoder"], config["map_decoder"]
    found = {m: one.curves(m, _label, "train" if "/" in m else "test") for m in ("mse", "loop/gain", "loop/step")}
    rows, maps = [], []
    for rule in ("REC", "BP"):
        means = np.array([[mean(_last(found["mse"][f"{rule} {e:g} {d:g}"])) for d in down] for e in up])
        maps.append(
            Map(f"{one.dataset}: {rule}", "decoder's rate", "encoder's rate", _written(up), _written(down), means)
        )
        for e in up:
            for d in down:
                name = f"{rule} {e:g} {d:g}"
                errors = found["mse"][name]
                loop = [mean(_last(found[m].get(name, errors * np.nan))) for m in ("loop/gain", "loop/step")]
                rows.append((rule, e, d, mean(errors[1]), mean(errors[-1]), *loop))
    caption = (
        "Test error after the last epoch; a dash has diverged. The gain is that of the loop from hinge to hinge. The "
        "step is that of an update in its linear approximation, estimated from above: a linear loop is unstable "
        "beyond 2."
    )
    columns = ["rule", "encoder's rate", "decoder's rate", "mse, epoch 1", "mse at the end", "loop/gain", "loop/step"]
    image = draw_maps(maps, "test error per unit (mse)")
    return [exhibit("stability", "Stability over both rates", caption, columns, rows, image)]


def _label(replica: Mapping[str, Any]) -> str:
    encoder, decoder = replica["lr"]
    return f"{by_rule(replica)} {encoder:g} {decoder:g}"


def _written(values: Sequence[float]) -> list[str]:
    return [f"{value:g}" for value in values]


def _last(values: np.ndarray) -> np.ndarray:
    """Return the last epoch's values, NaN where a replica has diverged."""
    return np.asarray(values[-1])


def table_1(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Compare the U-Net's twin with the same network by backpropagation, its last layer alone, and the mean image."""
    others, twin = runs
    epochs, rows = twin.values["tuning_epochs"], []
    curves = [others.curves("mse", by_rule, split) for split in SPLITS]
    for label in curves[0]:
        paper = PAPER.get(label, ("–", "–"))
        rows.append((f"{label}, from the start", *(mean_and_sd(c[label][-1]) for c in curves), *paper))
    tuned = [twin.curves("mse", lambda r: "last layer alone" if not r["tuning_lr"][0] else "twin", s) for s in SPLITS]
    rows.append(("twin, before fine-tuning", *(mean_and_sd(c["twin"][-epochs - 1]) for c in tuned), "–", "–"))
    rows.append(("twin, fine-tuned by decoders", *(mean_and_sd(c["twin"][-1]) for c in tuned), *PAPER["twin"]))
    rows.append(("last layer alone", *(mean_and_sd(c["last layer alone"][-1]) for c in tuned), "–", "–"))
    data = twin.data()
    constant = data.train.mean(axis=0, dtype=np.float64)
    errors = [f"{np.square(x - constant).mean():.4g}" for x in (data.train, data.test)]
    rows.append(("constant image: the training mean", *errors, "–", "–"))
    columns = ["circuit", "train", "test", "paper: train", "paper: test"]
    caption = (
        f"Error per unit (mse), {MEANS}. The paper does not give the number of epochs. Its twin is worse "
        "than a constant image."
    )
    return [exhibit("table-1", f"Table 1: a convolutional U-Net and its twin, {twin.dataset}", caption, columns, rows)]


def scores(_: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Score a stack whose neurons share weights, and the same untied, on small images."""
    rows = []
    for kind, name in (("conv", "convolutional"), ("local", "untied")):
        rows.append((name, *_scored(kind, config["maps"])))
    columns = ["stack", "local", "findings", "synapses", "stored weights", "channels"]
    caption = (
        "Two blocks, the second with a pool, and a top layer of plain outputs, on images of 8 by 8. Findings are those "
        "of the audit: a convolution is named for the weights that its neurons share, an untied layer is clean. Labels "
        "are no obstacle to locality."
    )
    return [exhibit("scorecard", "Scorecard: shared weights and weights of one's own", caption, columns, rows)]


def _scored(kind: str, maps: int) -> tuple[Any, ...]:
    row = parse_layers([f"{kind} {maps} 3", f"{kind} {maps} 3", "maxpool 2", "dense 10"], (1, 8, 8))
    circuit, protocol = tourbillon(row, top="identity")
    made = Simulator(circuit, protocol, batch=8, seeds=[0], parameters={"lr": 0.001})
    data = load("digits", "float32", 8, None)
    made.use(data.train, data.train_labels)
    found = scorecard(made, range(8))
    sharing = [
        f["projection"] for f in audit([make_schedule(circuit, protocol)])["findings"] if f["kind"] == "weight-sharing"
    ]
    kinds = ", ".join(f"{kind} ({count})" for kind, count in found["locality"]["findings"].items())
    learning = [q for q in circuit.projections if q.name in circuit.rules]
    synapses = sum(len(circuit.synapses(q.name).slot) for q in learning)
    weights = sum(int(np.prod(circuit.tensor_shape(q.name))) for q in learning)
    channels = f"{', '.join(sharing)} share weights" if sharing else "none shares weights"
    return found["locality"]["local"], kinds or "none", synapses, weights, channels
