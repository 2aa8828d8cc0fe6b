"""Give the command line what no user should: odd lines and configurations, damaged files, forged checkpoints.

Each case is carried out in this process, in a folder of its own. Its exit status must be 0, 2, 3 or 130, there must be
no traceback, and at status 2 nothing may be left behind. A case that takes long is interrupted, as by Ctrl-C. Reports,
the drawing of figures and the experiments of audits are left out: they take longer than all else.

Run: python tests/fuzz.py --lines 5000 --configurations 5000 --files 5000
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import safetensors.numpy
from running import skip_report

from circuitsim.cli import main as command_line
from circuitsim.randomness import generator
from circuitsim.runs import checkpoint
from circuitsim.runs.lookup import all_scenarios

ALLOWED = (0, 2, 3, 130)
PATIENCE = 1.0  # seconds of CPU time until a case is interrupted
LONG = 10.0  # the same where figures are made
WAITING = 120.0  # seconds until it is interrupted if it waits
MEMORY = 16 * 2**30  # bytes of address space: a case that asks for more fails, and the machine does not
SMALL = {"epochs": "1", "train_limit": "12", "test_limit": "4", "batch": "5", "sizes": "[64,3,64]"}
NASTY = (
    "0", "-1", "1", "2", "+5", "0.1", "1_000", "1e-300", "1e300", "1e200", "nan", "inf", "-inf", "true", "false",
    "none", "9" * 19, "9" * 40, "9" * 5000, "-" + "9" * 5000, "0x" + "f" * 4000, "1e" + "9" * 400,
    "18446744073709551616",
    "[9223372036854775808]", "1979-05-27", "07:32:00", "''", '"""', "'" + "x" * 5000 + "'", "λ", "\u202e", "r\udce9s",
    "'\udcff'", "[]", "{}", "[[]]", "[0]", "[1,2]", "[1,'a']", "['a']", "{a=1}", "[[1,2],[3]]",
    "[" + "1," * 3000 + "1]",
    "[" * 400 + "]" * 400, "[" * 20000 + "]" * 20000, "{a=" * 300 + "1" + "}" * 300, "[64,3,64]", "[64,-1,64]",
    "[64,0,64]", "[1000000,1000000,1000000]", "[64,1e9,64]", "[64,3,64,3,64]", "x.npz", "none.npz", "~nobody/x.npz",
    "'a\\u0000b.npz'", "rule.py:f", "none.py:f", ".py:", "a:b:c", "{noise='uniform'}", "{scale=1e300}", "digits",
    "lowrank", "bp", "rec",
)  # fmt: skip
COMMANDS = (*["run"] * 12, *["schedule"] * 3, "trace", "sweep", "data", "resume", "compare", "x")
PLACES = ("out", "out", "out", "a/b/c", "r\udce9s", "x" * 300, "file", "file/x", "", "λ")
WORDS = ("list", "path", "fetch", "x", "file", "r\udce9", "", "-", "--", "--metric", "--out", ".", "9" * 5000, "x.npz")
ODD: tuple[Any, ...] = (
    None, -1, 0, 1e300, 10**4400, 2**63, "", "x", "../../x", "/tmp/x", "r\udce9", [], {}, [[]], [None], True, {"a": 1},
)  # fmt: skip


def kinds() -> dict[str, type[Any]]:
    """The settings of each scenario."""
    return {name: scenario.settings for name, scenario in all_scenarios().items()}


class Fuzzer:
    """Carries out cases drawn from a seed, and counts how they end.

    Parameters
    ----------
    folder : where each case gets a folder of its own. seed : of all that is drawn.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, generator(seed, "fuzzing")
        self.counts: Counter[tuple[str, int]] = Counter()
        self.faults: list[str] = []
        self.settings = kinds()

    def carry_out(self, kind: str, arguments: Sequence[str], told: str = "", before: Callable[[], Any] = dict) -> None:
        """Carry out a command, and note a fault if it does not end as promised."""
        held = before()
        status, said = outcome_of(arguments, LONG if kind in ("computation run", "campaign run") else PATIENCE)
        self.counts[kind, status] += 1
        fault = ""
        if status not in ALLOWED or "Traceback" in said:
            fault = f"status {status}"
        elif status == 2 and before() != held:
            fault = f"left behind: {sorted(set(before()) ^ set(held)) or 'other content'}"
        if fault:
            shown = " ".join(argument if len(argument) < 200 else f"{argument[:100]}..." for argument in arguments)
            text = f"{kind}: {fault}: {shown} {told}\n{said[-1500:]}"
            self.faults.append(text)
            print(text.encode("utf-8", "backslashreplace").decode(), flush=True)

    def one_of(self, choices: Sequence[Any]) -> Any:
        """Draw one."""
        return choices[int(self.random.integers(len(choices)))]

    def chance(self, probability: float) -> bool:
        """Draw yes or no."""
        return bool(self.random.random() < probability)

    # ------------------------------------------------------------------------------- command lines and configurations

    def line(self) -> None:
        """Carry out a random command line."""
        with self._place() as place:
            scenario, keys = self._pairs()
            command = self.one_of(COMMANDS)
            arguments = [command, scenario]
            varied = command in ("run", "sweep") and self.chance(0.3)
            for number, (key, value) in enumerate(keys.items()):
                option = "--vary" if varied and not number else "--set"
                arguments += [option, f"{key}={value}"]
            arguments += self._options(command)
            if command in ("data", "resume", "compare"):
                arguments = [command, *self._words()]
            self.carry_out("line", arguments, before=lambda: tree(place))

    def configuration(self) -> None:
        """Carry out a run with a random configuration."""
        with self._place() as place:
            scenario, keys = self._pairs()
            content = "\n".join(f"{key} = {value}" for key, value in keys.items()).encode("utf-8", "surrogateescape")
            content = self._damaged(content) if self.chance(0.4) else content
            if self.chance(0.1):
                content = b"\xef\xbb\xbf" + content
            (place / "keys.toml").write_bytes(content)
            arguments = ["run", scenario, "--config", "keys.toml", "--out", "out"]
            self.carry_out("configuration", arguments, repr(content[:300]), before=lambda: tree(place))

    def _pairs(self) -> tuple[str, dict[str, str]]:
        """A scenario, and keys with values for it: a few odd ones among small ones."""
        scenario = self.one_of(list(self.settings))
        known = list(self.settings[scenario].model_fields)
        keys = {key: value for key, value in SMALL.items() if key in known}
        if self.chance(0.3):
            keys.pop(self.one_of(list(SMALL)), None)
        for _ in range(int(self.random.integers(0, 4))):
            key = self.one_of(known)
            if self.chance(0.1):
                key = self.one_of([key.upper(), key[:-1], "λ", "a.b", "'", "9" * 5000, "r\udce9", "seed", "x" * 3000])
            keys.pop(key, None)
            keys[key] = self.one_of(NASTY)
            if self.chance(0.15):
                keys[key] += "," + self.one_of(NASTY)
        scenario = self.one_of(["", "zzz", "λ", "none.py:S", "r\udce9.py:S", "../x"]) if self.chance(0.04) else scenario
        return scenario, dict(sorted(keys.items(), key=lambda _: self.random.random()))

    def _options(self, command: str) -> list[str]:
        found = []
        if command in ("run", "trace"):
            found += ["--out", self.one_of(PLACES)]
        for option in ("--seed", "--init", "--backend", "--config", "--shard", "--workers"):
            if self.chance(0.04):
                found += [option, self.one_of(NASTY)]
        return found + [one for one in ("--quick", "--overwrite", "--help") if self.chance(0.02)]

    def _words(self) -> list[str]:
        return [self.one_of(WORDS) for _ in range(int(self.random.integers(0, 4)))]

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        """A new working folder with a few files."""
        place = self.folder / "place"
        place.mkdir()
        (place / "file").write_text("")
        (place / "rule.py").write_text("def f(pre, post, w):\n    return pre.at(0) * post.at(0)\n")
        np.savez(place / "x.npz", x=np.eye(40, 64), y=np.arange(40) % 10)
        with contextlib.chdir(place):
            yield place
        shutil.rmtree(place, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------- damaged files

    def file(self) -> None:
        """Damage one file of a run folder, or of a run's input, and resume or use it."""
        if self.chance(0.15):
            return self._input()
        with self._place() as place:
            kind = self.one_of(["training"] * 4 + ["halted"] * 4 + ["computation", "campaign"])
            shutil.copytree(self.originals[kind], place / "run")
            if kind != "computation" and self.chance(0.3):
                told = self._forge(place / "run")
            else:
                files = sorted(path for path in (place / "run").rglob("*") if path.is_file())
                told = self._damage(self.one_of(files))
            arguments = ["compare", "run"] if self.chance(0.1) else ["resume", "run"]
            return self.carry_out(f"{kind} run", arguments, told, before=lambda: tree(place))

    def _input(self) -> None:
        with self._place() as place:
            init, data = place / "init.safetensors", place / "x.npz"
            shutil.copy(self.originals["training"] / "initial.safetensors", init)
            path = self.one_of([init, data])
            told = self._damage(path)
            given = ["--init", str(init)] if path == init else ["--set", f"dataset={data}"]
            small = [f"--set={key}={value}" for key, value in SMALL.items()]
            self.carry_out("input", ["run", "autoencoder", *small, *given, "--out", "out"], told, lambda: tree(place))

    def prepare(self) -> None:
        """Make the runs whose files are damaged: finished, interrupted, of all kinds."""
        optuna.storages.RDBStorage("sqlite:///:memory:")  # an import that is interrupted is not tried again
        made = self.folder / "originals"
        made.mkdir()
        small = [f"--set={key}={value}" for key, value in SMALL.items()]
        replicas = ["--vary=rule=rec,bp", "--vary=seed=0,1", "--set=momentum=0.5"]
        commands = {
            "training": ["run", "autoencoder", *small, *replicas],
            "halted": ["run", "autoencoder", *small[1:], "--set=epochs=2", *replicas],
            "computation": ["run", "feedback-ode", "--quick"],
            "campaign": ["run", "learning-channels", "--quick", "--set=epochs=1"],
        }
        self.originals = {name: made / name for name in commands}
        for name, arguments in commands.items():
            status, said = outcome_of([*arguments, "--out", str(made / name)], patience=300)
            if status != 0:
                raise RuntimeError(f"{name}: status {status}: {said}")
        for left in ("final.safetensors", "report.html"):
            (made / "halted" / left).unlink()
        sorted((made / "halted" / "checkpoint").iterdir())[-1].unlink()

    def _damage(self, path: Path) -> str:
        """Damage a file; return how."""
        content = path.read_bytes()
        ways: list[Callable[[], object]] = [lambda: path.write_bytes(self._damaged(content))] * 6
        ways += [path.unlink, lambda: (path.unlink(), path.mkdir()), lambda: path.write_bytes(b"")]
        if path.suffix == ".json":
            ways += [lambda: path.write_bytes(self._odd_json(content))] * 12
        if path.suffix == ".parquet":
            ways += [lambda: self._odd_table(path)] * 4
        way = int(self.random.integers(len(ways)))
        ways[way]()
        return f"{path.parent.name}/{path.name}, way {way}"

    def _damaged(self, content: bytes) -> bytes:
        """Cut, flip, repeat, or replace some bytes."""
        size, data = len(content), bytearray(content)
        at = int(self.random.integers(size + 1))
        way = int(self.random.integers(5))
        if way == 0:
            return content[:at]
        if way == 1:
            for place in self.random.integers(0, max(size, 1), 1 + int(self.random.integers(20))):
                data[int(place) : int(place) + 1] = self.random.bytes(1)
            return bytes(data)
        if way == 2:
            return content[:at] + bytes(int(self.random.integers(1, 200))) + content[at:]
        if way == 3:
            return self.random.bytes(int(self.random.integers(0, 2000)))
        return content[:at] + content[at // 2 :]

    def _odd_json(self, content: bytes) -> bytes:
        """Replace one value of a JSON document, remove it, or nest it deeply."""
        if self.chance(0.05):
            return b"[" * 100_000
        root = json.loads(content)
        node, key = root, None
        while isinstance(node, (dict, list)) and node and (key is None or self.chance(0.8)):
            parent, key = node, self.one_of(list(node) if isinstance(node, dict) else list(range(len(node))))
            node = parent[key]
        if key is None:
            return b"{}"
        value = self.one_of(ODD)
        sys.set_int_max_str_digits(0)
        try:
            if self.chance(0.15):
                del parent[key]
            else:
                parent[key] = value
            return json.dumps(root).encode()
        finally:
            sys.set_int_max_str_digits(4300)

    def _odd_table(self, path: Path) -> None:
        frame = pd.read_parquet(path)
        column = self.one_of(list(frame))
        way = int(self.random.integers(5))
        frame = [
            lambda: frame.drop(columns=column),
            lambda: frame.iloc[:0],
            lambda: frame.assign(**{column: "x"}),
            lambda: frame.assign(**{column: np.nan}),
            lambda: frame.iloc[::-1],
        ][way]()
        frame.to_parquet(path)

    def _forge(self, folder: Path) -> str:
        """Alter a checkpoint and give it the right checksum."""
        path = self.one_of(sorted(folder.rglob("*.checkpoint")))
        arrays = {name: np.array(array) for name, array in checkpoint.read(path).items()}
        name = self.one_of(sorted(arrays))
        array = arrays.pop(name)
        way = int(self.random.integers(9))
        if name in ("counters", "metrics") and way < 7:
            arrays[name] = np.frombuffer(self._odd_json(array.tobytes()), np.uint8)
        elif way == 1:
            arrays["x" * 10 + name] = array
        elif way == 2:
            arrays[name] = array[..., None]
        elif way == 3:
            arrays[name] = array.ravel()[: array.size // 2]
        elif way == 4:
            arrays[name] = array.astype(self.one_of(["float16", "int8", "uint64", "bool", "float64"]))
        elif way == 5:
            arrays[name] = np.full_like(array, self.one_of([0, 1, 255, -1]) % 256 if array.dtype.kind == "u" else -1)
        elif way == 6 and array.dtype.kind == "f":
            arrays[name] = np.full_like(array, self.one_of([np.nan, np.inf, 1e30]))
        elif way == 7:
            arrays = {}
        block = safetensors.numpy.save(arrays)
        if way == 8:
            block = self._damaged(block)
        path.write_bytes(checkpoint.MAGIC + checkpoint.hashlib.sha256(block).digest() + block)
        return f"{path.name}: {name}, way {way}"


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its content, and every folder."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def outcome_of(arguments: Sequence[str], patience: float = PATIENCE) -> tuple[int, str]:
    """Carry out a command in this process; return its exit status (-1: a traceback) and what it wrote."""

    late: list[int] = []

    def interrupt(*_: object) -> None:
        late.append(1)
        os.kill(os.getpid(), signal.SIGINT)

    def set_timers(cpu: float, real: float) -> None:
        signal.setitimer(signal.ITIMER_PROF, cpu, cpu)
        signal.setitimer(signal.ITIMER_REAL, real, real)

    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, interrupt)
    set_timers(patience, WAITING)
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            command_line(list(arguments))
        status = -1
    except SystemExit as end:
        status = int(end.code or 0)
    except KeyboardInterrupt:  # just before or after the command
        status = 130
    except BaseException:
        set_timers(0, 0)
        status = -1
        err.write(traceback.format_exc())
    finally:
        set_timers(0, 0)
    # Python reports an interrupt in a callback of its own as "Exception ignored", with a traceback
    return status, "interrupted" if late and status in ALLOWED else err.getvalue()


def make_fast(patched: pytest.MonkeyPatch) -> None:
    """Leave out experiments and the drawing of figures, and look for what is installed once."""
    patched.setattr("circuitsim.analysis.audits.ran.experiments", lambda *_, **__: ({}, []))
    patched.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)
    for module in ("lookup", "tools"):
        patched.setattr(f"circuitsim.runs.{module}.entry_points", cache(entry_points))


def main() -> int:
    """Exit status 1 on any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    for kind in ("lines", "configurations", "files"):
        parser.add_argument(f"--{kind}", type=int, default=0, help="cases to carry out")
    parser.add_argument("--seed", type=int, default=0, help="draws the cases")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        skip_report(patched)
        make_fast(patched)
        fuzzer = Fuzzer(Path(folder), options.seed)
        fuzzer.prepare()  # this also compiles what later cases need
        cases = [fuzzer.line] * options.lines + [fuzzer.configuration] * options.configurations
        for number, case in enumerate([*cases, *[fuzzer.file] * options.files], 1):
            case()
            if number % 500 == 0:
                print(f"{number} cases, {len(fuzzer.faults)} faults", flush=True)
    for (kind, status), number in sorted(fuzzer.counts.items()):
        print(f"{kind}: status {status}: {number}")
    print(f"{sum(fuzzer.counts.values())} cases, {len(fuzzer.faults)} faults")
    return 1 if fuzzer.faults else 0


if __name__ == "__main__":
    sys.exit(main())
