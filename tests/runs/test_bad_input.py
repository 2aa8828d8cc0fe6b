"""Whatever is wrong with what the user gives: status 2, a message that says where, what and what else; nothing written.

Rows are options and the message they get; the files that they name are made by `_files`.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import running
import safetensors.numpy
from running import COMMAND, REAL_DATA, circuitsim, nightly, tree

RATES = "a number >= 0, or a list with one for each layer above the input"
SEED = r"a whole number from 0 to 2\^63 - 1"

KEYS = {
    # names
    "batchsize=3": r"key batchsize: got 3; expected one of augment_shift, batch, bias, .*\. Did you mean batch\?",
    "zzz=3": r"key zzz: got 3; expected one of augment_shift, batch, .*, window\. Remove it\.",
    "a.b=3": r"key a\.b: got 3\.0; expected a key without a dot: no rule of the circuit has parameters\.",
    # kinds
    "lr=true": rf"key lr: got true; expected {RATES}",
    "lr=fast": rf"key lr: got 'fast'; expected {RATES}",
    "lr=[0.1,true]": r"key lr: got \[0\.1, True\]; expected a number >= 0, or a list",
    "batch=10.0": r"key batch: got 10\.0; expected a whole number >= 1",
    "batch=true": r"key batch: got true; expected a whole number >= 1",
    "epochs='3'": r"key epochs: got '3'; expected a whole number >= 0",
    "shuffle=1": r"key shuffle: got 1; expected true or false",
    "drop_last=yes": r"key drop_last: got 'yes'; expected true or false",
    "bias=True": r"key bias: got 'True'; expected true or false",
    "hidden=sigmoid": r"key hidden: got 'sigmoid'; expected identity, .*, saturated or saturated-half",
    "hidden=softmax": r"key hidden: got 'softmax'; expected identity, .*, saturated or saturated-half",
    "output=3": r"key output: got 3; expected identity, .* or saturated-half; or FILE\.py:FUNCTION, .*; or softmax",
    "dataset=7": r"key dataset: got 7; expected a data set's name or the path of an \.npz file",
    "dtype=float16": r"key dtype: got 'float16'; expected float32 or float64",
    "init=zeros": r"key init: got 'zeros'; expected glorot",
    "train_limit=all": r"key train_limit: got 'all'; expected none, or a whole number >= 1",
    "epochs=none": r"key epochs: got 'none'; expected a whole number >= 0",
    "momentum=1979-05-27": r"key momentum: got 1979-05-27; expected a number from 0 to below 1",
    "sizes=64": r"key sizes: got 64; expected a list of at least two whole numbers from 1 to 10\^9",
    "lam={ a = 1 }": r"key lam: got \{'a': 1\}; expected a number from 0 to 1, or a list of two",
    # ranges
    "lr=-0.1": rf"key lr: got -0\.1; expected {RATES}",
    "lr=nan": rf"key lr: got nan; expected {RATES}",
    "lr=1e400": rf"key lr: got inf; expected {RATES}",
    "lr_bias=[0.1,-0.1]": rf"key lr_bias: got \[0\.1, -0\.1\]; expected {RATES}",
    "lr_bias=[0.1,inf]": rf"key lr_bias: got \[0\.1, inf\]; expected {RATES}",
    "momentum=1": r"key momentum: got 1; expected a number from 0 to below 1",
    "momentum=-0.5": r"key momentum: got -0\.5; expected a number from 0 to below 1",
    "lr_decay=0": r"key lr_decay: got 0; expected a number above 0",
    "lr_warmup=-1": r"key lr_warmup: got -1; expected a whole number of epochs >= 0",
    "lr_steps=[4,2]": r"key lr_steps: got \[4, 2\]; expected a list of whole numbers of epochs >= 1, each above",
    "lr_factor=0": r"key lr_factor: got 0; expected a number above 0",
    "batch=0": r"key batch: got 0; expected a whole number >= 1",
    "epochs=-1": r"key epochs: got -1; expected a whole number >= 0",
    "train_limit=0": r"key train_limit: got 0; expected none, or a whole number >= 1",
    "max_norm=0": r"key max_norm: got 0; expected none, or a number above 0",
    "max_norm=inf": r"key max_norm: got inf; expected none, or a number above 0",
    "delay=0": r"key delay: got 0; expected a whole number of ticks from 1 to 1000",
    "window=-1": r"key window: got -1; expected none, or a whole number of ticks >= 0",
    "checkpoint_every=0": r"key checkpoint_every: got 0; expected none, or a whole number of presentations >= 1",
    "on_divergence=ignore": r"key on_divergence: got 'ignore'; expected stop or drop",
    "seed=-1": rf"key seed: got -1; expected {SEED}",
    "data_seed=9223372036854775808": rf"key data_seed: got 9223372036854775808; expected {SEED}",
    "lam=1.5": r"key lam: got 1\.5; expected a number from 0 to 1, or a list of two",
    "lam=[0.1,0.2,0.3]": r"key lam: got \[0\.1, 0\.2, 0\.3\]; expected a number from 0 to 1, or a list of two",
    "lam=[]": r"key lam: got \[\]; expected a number from 0 to 1, or a list of two",
    "cycles=0": r"key cycles: got 0; expected a whole number from 1 to 100",
    "variant=prr": r"key variant: got 'prr'; expected pr, ccr, rcc, ccrcc or rwcc",
    "top_rule=mine": r"key top_rule: got 'mine'; expected same, gradient or own",
    "rule=backprop": r"key rule: got 'backprop'; expected one of rec, rec-symmetric, .*; or FILE\.py:FUNCTION",
    # what several keys must agree on
    "sizes=[64]": r"key sizes: got \[64\]; expected a list of at least two whole numbers",
    "sizes=[]": r"key sizes: got \[\]; expected a list of at least two whole numbers",
    "sizes=[64,0,64]": r"key sizes: got \[64, 0, 64\]; expected a list of at least two whole numbers from 1",
    "sizes=[64,16.5,64]": r"key sizes: got \[64, 16\.5, 64\]; expected a list of at least two whole numbers",
    "sizes=[64,10000000000,64]": r"key sizes: got \[64, 10000000000, 64\]; expected .* from 1 to 10\^9",
    "sizes=[64,16,63]": r"key sizes: got \[64, 16, 63\]; expected the last size equal to the first",
    "sizes=[65,16,65]": r"key sizes: got \[65, 16, 65\]; expected 64 units in layers 0 and 2, one for each",
    "lr=[0.1]": r"key lr: got \[0\.1\]; expected one number, or 2 for layers 1 to 2",
    "lr_bias=[]": r"key lr_bias: got \[\]; expected one number, or 2 for layers 1 to 2",
    "reference_cycle=1": r"key reference_cycle: got 1; expected a whole number below cycles = 1",
    "window=2": r"window of 2 ticks .* Set the window to 3 or more",
    "train_limit=1438": r"train_limit of data set 'digits': got 1438; expected .* at most 1437",
    "train_measured=1438": r"key train_measured: got 1438; expected at most the 1437 training examples\. Lower it, or",
    "test_limit=361": r"test_limit of data set 'digits': got 361; expected .* at most 360",
    "output=softmax": r"key output_bias: got 'data'; expected a training mean that softmax outputs can have",
    "dataset=minst": r"name of a data set: got 'minst'; expected one of cifar10, .*\. Did you mean 'mnist'\?",
    # VALUE itself
    "lr=[0.1": r"key lr: got '\[0\.1'; expected a TOML value or a bare word",
    "dataset=two words": r"key dataset: got 'two words'; expected a TOML value or a bare word\. Quote strings",
    "lr=0.1\nbatch=3": r"key lr: got '0\.1\\nbatch=3'; expected a TOML value or a bare word",
    "lr": r"--set: got 'lr'; expected KEY=VALUE",
    "lr=": r"--set: got 'lr='; expected KEY=VALUE",
    "=3": r"--set: got '=3'; expected KEY=VALUE",
}

VARIED = {
    "sizes=[64,8,64],[64,9,64]": r"key sizes: got '--vary sizes'; expected a key that changes neither shapes",
    "dataset=digits,mnist": r"key dataset: got '--vary dataset'; expected a key that changes neither shapes",
    "batch=1,2": r"key batch: got '--vary batch'; expected",
    "drop_last=true,false": r"key drop_last: got '--vary drop_last'; expected",
    "epochs=1,2": r"key epochs: got '--vary epochs'; expected",
    "train_limit=1,2": r"key train_limit: got '--vary train_limit'; expected",
    "test_limit=1,2": r"key test_limit: got '--vary test_limit'; expected",
    "dtype=float32,float64": r"key dtype: got '--vary dtype'; expected",
    "on_divergence=stop,drop": r"key on_divergence: got '--vary on_divergence'; expected",
    "checkpoint_every=1,2": r"key checkpoint_every: got '--vary checkpoint_every'; expected",
    "rules=rec,bp": r"key rules: got .*unknown key; expected one of augment_shift, batch, .*",
    "lr=": r"--vary: got 'lr='; expected KEY=V1,V2,",
    "lr": r"--vary: got 'lr'; expected KEY=V1,V2,",
    "lr=0.1,": r"key lr: got '0\.1,'; expected values separated by single commas, brackets closed",
    "lr=,": r"key lr: got ','; expected values separated by single commas",
    "lr=0.1,,0.2": r"key lr: got '0\.1,,0\.2'; expected values separated by single commas",
    "lr=[0.1,0.2": r"key lr: got '\[0\.1,0\.2'; expected values separated .*, brackets closed",
    "lr=0.1],[0.2": r"key lr: got '0\.1\],\[0\.2'; expected",
    "rule='rec,bp": r"key rule: got \"'rec,bp\"; expected values separated",
    "lr=0.1,-1": rf"key lr: got -1\.0; expected {RATES}",
    "rule=rec,wrong": r"key rule: got 'wrong'; expected one of rec, ",
}

OPTIONS = {
    "run autoencoder --set lr=1 --set lr=2": r"key lr: got 'lr=2'; expected one --set for each key",
    "run autoencoder --vary lr=1 --vary lr=2": r"key lr: got 'lr=2'; expected one --vary for each key",
    "run autoencoder --set lr=1 --vary lr=1,2": r"key lr: got 'lr both set and varied'; expected one of the two",
    "run autoencoder --set rule=error-rec --set variant=ccr": r"key rule: got 'error-rec'; expected variant = pr and",
    "run autoencoder --set rule=error-rec --set cycles=2": r"key rule: got 'error-rec'; expected variant = pr and cyc",
    "run autoencoder --set cycles=2 --set reference_cycle=2": r"key reference_cycle: got 2; .* below cycles = 2",
    "run autoencoder --set cycles=2 --set reference_cycle=-1": r"key reference_cycle: got -1; expected a whole num",
    "run autoencoder --set delay=5 --set window=14": r"Set the window to 15 or more",
    "run autoencoder --seed -1": rf"key seed: got -1; expected {SEED}",
    "run autoencoder --seed x": r"Invalid value for '--seed': .*integer",
    "run autoencoder --backend gpu": r"backend: got 'gpu'; expected one of numpy, numba, cupy\. Choose one of these",
    "run autoencoder --fast": r"No such option: --fast.*\. `circuitsim --help` shows",
    "run autoencoder extra": r"unexpected extra argument",
    "run autoencoder --set": r"Option '--set' requires an argument",
    "run": r"Missing argument 'scenario'\. `circuitsim --help`",
    "run autoencodr": r"scenario autoencodr: got an unknown name; expected one of .*autoencoder, .* Did you mean auto",
    "run zzz": r"scenario zzz: got an unknown name; expected .*`circuitsim list` shows them",
    "schedule zzz": r"scenario zzz: got an unknown name",
    "schedule autoencoder --set window=1": r"Set the window to",
    "audit zzz": r"scenario zzz: got an unknown name",
    "audit autoencoder --set lr=-0.1": rf"key lr: got -0\.1; expected {RATES}",
    "audit autoencoder --set window=1": r"Set the window to",
    "audit autoencoder --backend gpu": r"backend: got 'gpu'; expected one of numpy, numba, cupy\. Choose one of these",
    "audit autoencoder --set rule=none.py:rule": r"key rule: got 'none\.py:rule'; expected the path of a Python file",
    "trace autoencoder": r"Missing option '--out'\. `circuitsim --help` shows",
    "trace zzz --out t.json": r"scenario zzz: got an unknown name",
    "trace autoencoder --out t.json --set lr=-0.1": rf"key lr: got -0\.1; expected {RATES}",
    "trace autoencoder --out t.json --set window=1": r"Set the window to",
    "trace autoencoder --out file": r"--out file: got an existing file; expected a new name\. Add --overwrite, or",
    "trace autoencoder --out folder --overwrite": r"--out folder: got something that is no file; expected a file, or n",
    "trace autoencoder --out none/t.json": r"--out none/t\.json: got a folder that is not there; expected a file in an",
    "trace autoencoder --out file/t.json": r"--out file/t\.json: got a folder that is not there; .* Make the folder\.",
    "train": r"No such command 'train'\.",
    "": r"Missing command\.",
    "data": r"Missing command\.",
    "data path digits": r"data set 'digits': got a data set that is embedded and has no files",
    "data fetch nothing": r"name of a data set: got 'nothing'; expected one of",
    "resume": r"Missing argument 'DIR'\.",
    # --config
    "run autoencoder --config none.toml": r"--config none\.toml: got .*No such file.*; expected a readable TOML file",
    "run autoencoder --config folder": r"--config folder: got .*Is a directory",
    "run autoencoder --config not.toml": r"--config not\.toml: got .*line 1.*; expected a readable TOML file of keys",
    "run autoencoder --config twice.toml": r"--config twice\.toml: got Cannot overwrite a value",
    "run autoencoder --config binary.toml": r"--config binary\.toml: got .*can't decode byte 0xff",
    "run autoencoder --config unknown.toml": r"key learning_rate: got 0\.1; expected one of augment_shift,",
    "run autoencoder --config table.toml": r"key autoencoder\.lr: got 0\.1; expected a key .* Files have no tables\.",
    "run autoencoder --config wrong.toml": r"key batch: got 'ten'; expected a whole number >= 1",
    # --init
    "run autoencoder --init none.safetensors": r"weights none\.safetensors: got .*No such file.*; expected a safeten",
    "run autoencoder --init folder": r"weights folder: got .*Is a directory",
    "run autoencoder --init empty": r"weights empty: got .*(?i:header ?too ?small); expected a safetensors file of",
    "run autoencoder --init cut": r"weights cut: got .*; expected a safetensors file",
    "run autoencoder --init noise": r"weights noise: got .*; expected a safetensors file",
    "run autoencoder --init bfloat": r"weights bfloat: got 'BF16'; expected a safetensors file of float32 or float64",
    "run autoencoder --init name": r"tensor W1\.weight of name: got an unknown name; expected one of A1\.bias, A1\.w",
    "run classifier --init loop": r"tensor A1\.weight of loop: got an unknown name; expected one of B2\.weight, D1\.w",
    "run classifier --init feedback": r"tensor B2\.weight of feedback: got shape \(10, 32\); expected \(32, 10\), as",
    "run autoencoder --init shape": r"tensor A1\.weight of shape: got shape \(64, 16\); expected \(16, 64\), as sizes",
    "run autoencoder --init replicas": r"tensor A1\.weight of replicas: got shape \(2, 16, 64\); expected \(16, 64\)",
    "run autoencoder --init ints": r"tensor A1\.weight of ints: got int32, or .*; expected finite float32 or float64",
    "run autoencoder --init nan": r"tensor A1\.bias of nan: got float32, or values that are not finite",
    "run autoencoder --init huge": r"tensor A1\.bias of huge: got float64, or values that are not finite in float32",
    # --out (the last one counts)
    "run autoencoder --out file": r"run folder file: got a file; expected a folder, or nothing",
    "run autoencoder --out file/below": r"run folder file/below: got .*file, which is a file; expected folders all",
    "run autoencoder --out full": r"run folder full: got a folder with 1 files; expected a new or empty folder\. Add",
    "run autoencoder --out full --overwrite": r"run folder full: got thesis\.tex, which no run wrote; expected an ear",
    # data files
    "run autoencoder --set dataset=none.npz": r"data file none\.npz: got no such file; expected a readable file",
    "run autoencoder --set dataset=cut.npz": r"data file cut\.npz: got a file that cannot be read .*; expected a Num",
    "run autoencoder --set dataset=without.npz": r"data file without\.npz: got y; expected an array 'x' of examples",
    "run autoencoder --set dataset=other.npz": r"data file other\.npz: got the member 'z\.npy'; expected each at m",
    "run autoencoder --set dataset=infinite.npz": r"data file infinite\.npz, array 'x': got a value in row 2 that is",
    "run autoencoder --set dataset=words.npz": r"data file words\.npz, array 'x': got the type <U1; expected real",
    "run autoencoder --set dataset=features.npz": r"key sizes: got \[64, 16, 64\]; expected 5 units in layers 0 and 2",
    "run autoencoder --set dataset=five.npz --set sizes=[5,2,5]": r"key output_bias: got 'data'; expected a training",
    # rules
    "run autoencoder --set rule=none.py:f": r"key rule: got 'none\.py:f'; expected the path of a Python file, a colon",
    "run autoencoder --set rule=syntax.py:f": r"key rule: got .*syntax\.py:f, whose file raises SyntaxError",
    "run autoencoder --set rule=raises.py:f": r"key rule: got .*raises\.py:f, whose file raises ZeroDivisionError",
    "run autoencoder --set rule=exits.py:f": r"key rule: got .*exits\.py:f, whose file raises SystemExit",
    "run autoencoder --set rule=rules.py:nothing": r"key rule: got 'rules\.py:nothing'; expected a function defined",
    "run autoencoder --set rule=rules.py:": r"key rule: got 'rules\.py:'; expected a function defined in rules\.py",
    "run autoencoder --set rule=rules.py:SCALE": r"rule .*: got a int; expected a plain Python function",
    "run autoencoder --set rule=rules.py:reads_global": r"rule reads_global, line 4: got the name 'SCALE'; expected",
    "run autoencoder --set rule=rules.py:reads_attribute": r"rule reads_attribute, line 6: got the attribute 'net'",
    "run autoencoder --set rule=rules.py:branches": r"rule branches.*: got a branch .*; expected",
    "run autoencoder --set rule=rules.py:loops": r"rule loops, line 11: got a loop; expected nothing but its argum",
    "run autoencoder --set rule=rules.py:imports": r"rule imports, line 14: got an import; expected nothing but",
    "run autoencoder --set rule=rules.py:future": r"rule future.*: got post\.at\(-2\); expected a cycle that is a who",
    "run autoencoder --set rule=rules.py:target": r"rule target, line 18: got parameter 'target' without a value",
    "run autoencoder --set rule=rules.py:later": r"rule of projection A1: got a reading of layer1 at cycle 5, which",
    # resume
    "resume none": r"run folder none: got no config\.json; expected a run folder\. Name the --out of an earlier run",
    "resume folder": r"run folder folder: got no config\.json; expected a run folder",
    "resume file": r"run folder file/config\.json: got .*Not a directory",
}

KINDS = "one of bp, fa, dfa, kp, wm, ss, urfb, ia, sa, aa"

CLASSIFIER = {
    "feedback=backprop": rf"key feedback: got 'backprop'; expected {KINDS}\. Correct the value of feedback\.",
    "feedback=rec": rf"key feedback: got 'rec'; expected {KINDS}",
    "rule=bp": r"key rule: got 'bp'; expected one of angle_examples, .*, window\. Did you mean feedback\?",
    "loss=mse": r"key loss: got 'mse'; expected error or hinge",
    "hinge_margin=2": r"key hinge_margin: got 2; expected one or mu",
    "ss_kind=random": r"key ss_kind: got 'random'; expected uniform, fixed or batch",
    "output=sigmoid": r"key output: got 'sigmoid'; expected identity, .*; or FILE\.py:FUNCTION, .*softmax",
    "hidden=softmax": r"key hidden: got 'softmax'; expected identity, .* or saturated-half",
    "weight_decay=-1e-4": r"key weight_decay: got -0\.0001; expected a number >= 0",
    "density=0": r"key density: got 0; expected a number above 0, up to 1",
    "density=1.5": r"key density: got 1\.5; expected a number above 0, up to 1",
    "angle_examples=0": r"key angle_examples: got 0; expected a whole number >= 1",
    "lr=[0.1]": r"key lr: got \[0\.1\]; expected one number, or 2 for layers 1 to 2",
    "updates=never": r"key updates: got 'never'; expected last, at-once or either",
    "update_probability=0": r"key update_probability: got 0; "
    r"expected a number above 0, up to 1\. Correct the value of update_pr",
    "update_probability=1.1": r"key update_probability: got 1\.1; expected a number above 0, up to 1",
    "feedback_delay=0": r"key feedback_delay: got 0; expected none, or a whole number of ticks from 1 to 1000",
    "feedback_delay=4 window=5": r"window of 5 ticks .* Set the window to 6 or more",
    "copy_interval=-1": r"key copy_interval: got -1; expected none, never, or a whole number of presentations fr",
    "copy_interval=0.5": r"key copy_interval: got 0\.5; expected none, never, or a whole number of presentations",
    "copy_interval=always": r"key copy_interval: got 'always'; expected none, never, or a whole number",
    # copies where there is nothing to copy
    "feedback=fa copy_interval=3": r"key copy_interval: got 3; expected none with feedback fa\. Leave it out, or",
    "feedback=ss copy_interval=never": r"key copy_interval: got 'never'; expected none with feedback ss\. .* bp,",
    # a step where no synapse takes it
    "feedback_step=0.5": r"key feedback_step: got 0\.5; expected none with feedback bp\. Leave it out, or choose fe",
    "feedback=wm feedback_step=1": r"key feedback_step: got 1\.0; expected none with feedback wm\. .* fa, urfb, kp\.",
    "feedback=sa feedback_step=0": r"key feedback_step: got 0\.0; expected none with feedback sa",
    "feedback=kp feedback_step=-1": r"key feedback_step: got -1; expected none, or a number >= 0",
    # tables
    "mirror=3": r"key mirror: got 3; expected a table",
    "mirror={noises=1}": r"key mirror\.noises: got 1; expected one of block_bias, .*, scale\. Did you mean noise\?",
    "mirror={noise=pink}": r"key mirror: got '\{noise=pink\}'; expected a TOML value or a bare word",
    "mirror={noise='pink'}": r"key mirror\.noise: got 'pink'; expected gaussian or uniform\. Correct .* mirror\.noise",
    "mirror={scale=-1}": r"key mirror\.scale: got -1; expected a number >= 0\. Correct the value of mirror\.scale",
    "mirror={rate=inf}": r"key mirror\.rate: got inf; expected a number >= 0",
    "mirror={decay='no'}": r"key mirror\.decay: got 'no'; expected a number >= 0",
    "mirror={centre=1}": r"key mirror\.centre: got 1; expected true or false",
    "mirror={block_bias=0}": r"key mirror\.block_bias: got 0; expected true or false",
    "mirror={normalise='x'}": r"key mirror\.normalise: got 'x'; expected true or false",
    "mirror={passes_before=-1}": r"key mirror\.passes_before: got -1; expected a whole number >= 0",
    "mirror={passes_per_update=0.5}": r"key mirror\.passes_per_update: got 0\.5; expected a whole number >= 0",
    "primitives=all": r"key primitives: got 'all'; expected none, or a table of decay, amp, null, sparse, self, rate a",
    "primitives={amps=1}": r"key primitives\.amps: got 1; expected one of amp, .*, sparse\. Did you mean amp\?",
    "primitives={amp=nan}": r"key primitives\.amp: got nan; expected a number\. Correct the value of primitives\.amp",
    "feedback=ia primitives={reads='gain'}": r"key primitives\.reads: got 'gain'; expected input or activity\. ",
    "feedback=ia primitives={rate=-1}": r"key primitives\.rate: got -1; expected a number >= 0",
    # what does not fit the data
    "sizes=[63,32,10]": r"key sizes: got \[63, 32, 10\]; expected 64 units in layer 0, one for each.*\[64,\.\.\.,10\]",
    "sizes=[64,32,9]": r"key sizes: got \[64, 32, 9\]; expected 10 units in layer 2, a class of digits each\. Set si",
    "sizes=[64,16,64]": r"key sizes: got \[64, 16, 64\]; expected 10 units in layer 2",
    "train_limit=100 sizes=[64,9]": r"key sizes: got \[64, 9\]; expected at least 10 units in layer 1, a class of dig",
    "dataset=lowrank": r"key dataset: got 'lowrank'; expected a data set with classes\. Choose another, or add 'y' to",
    "dataset=five.npz sizes=[5,2]": r"key dataset: got 'five\.npz'; expected a data set with classes",
    "delay=3 window=5": r"window of 5 ticks .* Set the window to \d+ or more",
    "dataset=one.npz sizes=[5,1] loss=hinge": r"exchange layer1 -> error1: got .*margin.*; expected two or more neur",
}

CLASSIFIER_VARIED = {
    "angle_examples=1,2": r"key angle_examples: got '--vary angle_examples'; expected a key that changes neither",
    "feedback=bp,backprop": rf"key feedback: got 'backprop'; expected {KINDS}",
    "copy_interval=1,2,ever": r"key copy_interval: got 'ever'; expected none, never, or a whole number of pre",
    "mirror={scale=1},{scale=-1}": r"key mirror\.scale: got -1; expected a number >= 0",
}

RULES = """SCALE = 3

def reads_global(pre, post, w):
    return SCALE * post.at(0)
def reads_attribute(pre, post, w):
    return pre.net.at(0)
def branches(pre, post, w):
    return pre.at(0) if post.at(0) > 0 else 0
def loops(pre, post, w):
    k = 0
    while True: k = k + 1
    return k
def imports(pre, post, w):
    import os
    return w
def future(pre, post, w):
    return post.at(-2)
def target(pre, post, target):
    return target - post.at(0)
def later(pre, post, w):
    return post.at(5) * pre.at(0)
"""


def _weights(folder: Path, name: str, **tensors: np.ndarray) -> None:
    safetensors.numpy.save_file({key.replace("_", "."): value for key, value in tensors.items()}, folder / name)


def _files(folder: Path) -> None:
    """Everything that the rows name."""
    (folder / "folder").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "thesis.tex").write_text("the work of years")
    texts = {
        "file": "",
        "not.toml": "lr: 0.1",
        "twice.toml": "lr = 0.1\nlr = 0.2",
        "unknown.toml": "learning_rate = 0.1",
        "table.toml": "[autoencoder]\nlr = 0.1",
        "wrong.toml": "batch = 'ten'",
        "empty": "",
        "syntax.py": "def f(:",
        "raises.py": "1 / 0",
        "exits.py": "raise SystemExit(0)",
        "rules.py": RULES,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "binary.toml").write_bytes(b"\xff\xfe\x00")
    (folder / "noise").write_bytes(bytes(range(256)))
    weight, bias = np.zeros((16, 64), np.float32), np.zeros(16, np.float32)
    _weights(folder, "cut", A1_weight=weight)
    (folder / "cut").write_bytes((folder / "cut").read_bytes()[:-1])
    header = json.dumps({"A1.bias": {"dtype": "BF16", "shape": [16], "data_offsets": [0, 32]}}).encode()
    (folder / "bfloat").write_bytes(struct.pack("<Q", len(header)) + header + bytes(32))
    _weights(folder, "name", A1_weight=weight, W1_weight=weight)
    _weights(folder, "feedback", B2_weight=np.zeros((10, 32), np.float32))
    _weights(folder, "loop", A1_weight=weight)
    _weights(folder, "shape", A1_bias=bias, A1_weight=weight.T.copy())
    _weights(folder, "replicas", A1_weight=np.stack([weight, weight]))
    _weights(folder, "ints", A1_weight=weight.astype(np.int32))
    _weights(folder, "nan", A1_weight=weight, A1_bias=bias + np.nan)
    _weights(folder, "huge", A1_bias=bias.astype(np.float64) + 1e300)
    x = np.arange(50.0).reshape(10, 5)
    np.savez(folder / "features.npz", x=x / 50)
    np.savez(folder / "five.npz", x=x)
    np.savez(folder / "one.npz", x=x / 50, y=np.zeros(10, np.int64))
    (folder / "cut.npz").write_bytes((folder / "five.npz").read_bytes()[:-30])
    np.savez(folder / "without.npz", y=np.arange(10))
    np.savez(folder / "other.npz", x=x, z=x)
    np.savez(folder / "infinite.npz", x=np.where(x == 11, np.inf, x))
    np.savez(folder / "words.npz", x=np.full((10, 5), "a"))


def _refused(arguments: list[str], message: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = tree(folder)
    capfd.readouterr()
    status = circuitsim(*arguments)
    out, err = capfd.readouterr()
    assert re.search(message, err), err
    assert err.startswith("circuitsim: ")
    assert err.count("\n") == 1
    assert (status, out) == (2, "")
    assert tree(folder) == before
    assert Path.cwd() == folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("setting", KEYS)
def test_set(setting: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _refused(["run", "autoencoder", "--out", "out", "--set", setting], KEYS[setting], folder, capfd)


@pytest.mark.parametrize("setting", VARIED)
def test_vary(setting: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _refused(["run", "autoencoder", "--out", "out", "--vary", setting], VARIED[setting], folder, capfd)


@pytest.mark.parametrize("settings", CLASSIFIER)
def test_set_of_a_classifier(settings: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _files(folder)
    sets = [part for setting in settings.split() for part in ("--set", setting)]
    _refused(["run", "classifier", "--out", "out", *sets], CLASSIFIER[settings], folder, capfd)


@pytest.mark.parametrize("setting", CLASSIFIER_VARIED)
def test_vary_of_a_classifier(setting: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _refused(["run", "classifier", "--out", "out", "--vary", setting], CLASSIFIER_VARIED[setting], folder, capfd)


@pytest.mark.parametrize("line", OPTIONS)
def test_options_and_files(line: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _files(folder)
    _refused(line.split(), OPTIONS[line], folder, capfd)


DAMAGE = {
    "cut": (
        lambda text: text[: len(text) // 2],
        r"config\.json: got .*; expected the file that the run wrote\. Put it back, or start the",
    ),
    "empty": (lambda text: "", r"config\.json: got .*; expected the file that the run wrote"),
    "a list": (
        lambda text: "[]",
        r"config\.json: got a file without the run's settings; expected the file that the run",
    ),
    "other keys": (lambda text: "{}", r"config\.json: got a file without the run's settings"),
    "no settings": (
        lambda text: _edited(text, given={"settings": []}),
        r"run folder .*: got settings that cannot be re",
    ),
    "no list": (lambda text: _edited(text, given={"settings": 3}), r"run folder .*: got settings that cannot be read"),
    "nothing given": (lambda text: _edited(text, given={}), r"run folder .*: got settings that cannot be read"),
    "words": (
        lambda text: _edited(text, given={"settings": ["lr"]}),
        r"run folder .*: got settings that cannot be read",
    ),
    "key": (
        lambda text: _edited(text, given={"settings": [{"rate": 1}]}),
        r"key rate: got 1; expected one of ",
    ),
    "value": (
        lambda text: _edited(text, given={"settings": [{"lr": -1}]}),
        r"key lr: got -1.*; expected a number >= 0",
    ),
    "vary": (lambda text: _edited(text, vary={"speed": [1, 2]}), r"run folder .*: got settings that cannot be read"),
    "scenario": (lambda text: _edited(text, scenario="gone"), r"scenario gone: got an unknown name; expected one of"),
    "backend": (lambda text: _edited(text, backend="gpu"), r"backend: got 'gpu'; expected one of numpy, numba"),
}


def _edited(text: str, **values: Any) -> str:
    return json.dumps(json.loads(text) | values)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert running.run(folder, epochs=0) == 0
    return folder


@pytest.mark.parametrize("damage", DAMAGE)
def test_resume_of_a_damaged_config(
    damage: str, finished: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, folder / "run")
    change, message = DAMAGE[damage]
    config = folder / "run" / "config.json"
    config.write_text(change(config.read_text()))
    _refused(["resume", "run"], message, folder, capfd)


@pytest.mark.parametrize(("cut", "message"), [(None, "No such file"), (100, "expected a safetensors file")])
def test_resume_without_checkpoints_needs_the_initial_weights(
    cut: int | None, message: str, finished: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, folder / "run")
    shutil.rmtree(folder / "run" / "checkpoint")
    initial = folder / "run" / "initial.safetensors"
    content = initial.read_bytes()
    initial.unlink()
    if cut is not None:
        initial.write_bytes(content[:cut])
    _refused(["resume", "run"], rf"weights run/initial\.safetensors: got .*{message}", folder, capfd)


@pytest.mark.skipif(not REAL_DATA, reason="CIRCUITSIM_DATA names no folder with MNIST")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("cut", r"train-images-idx3-ubyte\.gz: got a gzip file that ends early .*; expected a whole gzip file"),
        ("altered", r"train-images-idx3-ubyte: got content with the checksum md5:.*; expected the published md5:6bbc9"),
        ("missing", r"data set 'mnist' in .*: got no file train-images-idx3-ubyte\.gz; expected all of"),
    ],
)
def test_damaged_mnist(
    damage: str, message: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(Path(REAL_DATA) / "mnist", folder / "mnist")
    images = folder / "mnist" / "train-images-idx3-ubyte.gz"
    packed = images.read_bytes()
    images.unlink()
    if damage == "cut":
        images.write_bytes(packed[:-1000])
    if damage == "altered":
        content = bytearray(gzip.decompress(packed))
        content[30_000_000] ^= 1
        images.with_suffix("").write_bytes(content)
    monkeypatch.setenv("CIRCUITSIM_DATA", str(folder))
    options = ["--set", "dataset=mnist", "--set", "sizes=[784,16,784]"]
    _refused(["run", "autoencoder", "--out", "out", *options], message, folder, capfd)


def test_a_data_folder_that_is_none(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCUITSIM_DATA", "gone")
    message = r"environment variable CIRCUITSIM_DATA: got 'gone', which is not there; expected a folder"
    _refused(["run", "autoencoder", "--out", "out", "--set", "dataset=mnist"], message, folder, capfd)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run autoencoder --out out --set lr=-1", "circuitsim: key lr: got -1.0; expected a number >= 0"),
        nightly("run autoencoder --out out --set rule=rules.py:reads_global", "got the name 'SCALE'"),
        nightly("resume none", "circuitsim: run folder none: got no config.json"),
        ("frobnicate", "circuitsim: No such command 'frobnicate'."),
    ],
)
def test_in_a_process_of_its_own(line: str, message: str, folder: Path) -> None:
    _files(folder)
    before = tree(folder)
    done = subprocess.run([*COMMAND, *line.split()], capture_output=True, text=True, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(folder) == before
