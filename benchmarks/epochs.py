"""Measure what an epoch costs after many others: metrics are appended, so that the time of a run is linear in epochs.

Run: python benchmarks/epochs.py --epochs 2000
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import circuitsim as cs
from circuitsim.runs.progress import RunProgress


def main() -> None:
    """Print the CPU time of an epoch in each tenth of a run of four replicas, and the size of its checkpoint then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2000)
    epochs = parser.parse_args().epochs
    measured, part = RunProgress.measured, max(epochs // 10, 1)
    with tempfile.TemporaryDirectory() as folder:
        out, last = Path(folder) / "run", [time.process_time()]

        def noted(progress: RunProgress) -> None:
            measured(progress)
            epoch = progress._study.epoch
            if epoch and epoch % part == 0:
                now = time.process_time()
                size = max(path.stat().st_size for path in (out / "checkpoint").iterdir())
                each = 1000 * (now - last[0]) / part
                print(f"epochs {epoch - part + 1} to {epoch}: {each:.2f} ms each; checkpoint {size} bytes", flush=True)
                last[0] = now

        RunProgress.measured = noted  # type: ignore[method-assign]
        cs.run(
            "autoencoder",
            vary={"seed": [0, 1, 2, 3]},
            out=out,
            progress=False,
            **{"epochs": epochs, "train_limit": 8, "test_limit": 8, "batch": 8, "sizes": [64, 2, 64]},
        )


if __name__ == "__main__":
    main()
