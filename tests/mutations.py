"""A broken engine, seventy times over: each fault is small, named, and planted in a copy of one function's source.

`FAULTS` says which suites must catch each. A suite is a function of a bench and a backend that raises where it finds
something wrong: I, the interventional audit; C, the light cones; K, the contract of kernels; P, that of phases; R, that
of rules; H, the hand-written loops; M, the tests of mirror mode. What is local but wrong (a sign, a missing term)
changes nothing that a synapse may not know: the intervention is rightly silent, and a contract or the loops speak.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import handwritten_classifier
import numpy as np
import pytest
import test_mirror
import test_random_circuits
from building import (
    Built,
    Setting,
    Tensors,
    classes,
    classifier,
    digits,
    distance,
    presentations,
    simulator,
    together,
    train,
    weights_of,
)
from sample_rules import far_bound, oja, saturating
from test_classifier_against_handwritten import fired

from analysis.intervention import intervene
from analysis.light_cone import light_cone
from circuits.autoencoder import circular_autoencoder
from circuits.replacement import replacement_classifier
from circuitsim import kernels, phases
from circuitsim.graph import Circuit, Projection
from circuitsim.kernels import cpu, reference
from circuitsim.phases import (
    base,
    bound,
    delivery,
    feedback,
    forward,
    mirror,
    plasticity,
    recirculation,
    replacement,
    update,
)
from circuitsim.plan import Plan, _alike, _shared_memory
from circuitsim.rules import codegen, compiler, separation
from circuitsim.schedule import FIRING, Protocol
from circuitsim.simulator import Simulator
from circuitsim.state import Activity, State

sys.path.append(str(Path(__file__).with_name("contracts")))

import test_kernel_contract as of_kernels  # noqa: E402
import test_phase_contract as of_phases  # noqa: E402
import test_rule_contract as of_rules  # noqa: E402
