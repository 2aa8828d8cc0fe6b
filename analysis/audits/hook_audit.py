"""The audit of hooks: find by experiment what a user's hook carries to neurons and synapses, and the line that does it.

No certificate covers a hook. The audit calls it thousands of times on the simulator's own memory, in a copy of the
process, and then again from the same hidden state with everything changed that a group of synapses or neurons must not
depend on. A synapse that comes out differently depends on what was changed, however the hook reached it (an argument,
a closure, a global, an attribute, a file, a thread), and however late.

A hook may have a memory of its own: what a neuron keeps of itself and of its own synapses is local, at any age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import randbits
from typing import Any

import numpy as np

from circuitsim.analysis.audits import threads_beside
from circuitsim.analysis.audits.forked import POSSIBLE, ForkFailed
from circuitsim.analysis.audits.hook_memory import HookMemory
from circuitsim.analysis.audits.hook_search import HookSearch
from circuitsim.engine.hooks import Hook
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding

CALLS = 2000


@dataclass(frozen=True)
class HookAudit:
    """Record of what was done to a hook, and of what was found.

    Parameters
    ----------
    hook, after : its name and phase. calls : compared in a rehearsal. worlds : number of rehearsals with other memory.
    raised : number of calls that raised an exception, on random memory that the hook did not expect.
    changes : the arrays that it changes. stateful : what it does depends on earlier calls, at an age without bound.
    findings : one for each kind, projection and array read.
    """

    hook: str
    after: str
    calls: int
    worlds: int
    raised: int
    changes: tuple[str, ...]
    stateful: bool
    findings: tuple[Finding, ...]

    def row(self) -> dict[str, Any]:
        """Return the extent as a plain mapping."""
        names = ("hook", "after", "calls", "worlds", "raised", "changes", "stateful")
        return {name: getattr(self, name) for name in names}


def audit_hooks(simulator: Simulator, *, seed: int | None = None, calls: int = CALLS) -> tuple[Finding, ...]:
    """Find what the simulator's hooks carry to synapses and neurons from elsewhere.

    Parameters
    ----------
    simulator : its hooks run on its own memory, in a copy of this process; the simulator stays as it is.
    seed : of the random states; None: drawn anew. calls : of each hook in a rehearsal, >= 1.

    Returns
    -------
    One finding for each array that a hook changes and each array elsewhere that the change depends on; `rule` names
    the hook and the line, `read` the array. A hook that changes nothing has no finding, nor one that makes a synapse
    depend only on itself, its two neurons, and its neuron's other incoming synapses.
    """
    found = [finding for one in examine_hooks(simulator, seed=seed, calls=calls) for finding in one.findings]
    return tuple(dict.fromkeys(found))


def examine_hooks(simulator: Simulator, *, seed: int | None = None, calls: int = CALLS) -> list[HookAudit]:
    """Audit each hook of a simulator; arguments are those of `audit_hooks`."""
    if not simulator.hooks:
        return []
    random = np.random.default_rng(randbits(32) if seed is None else seed)
    beside = threads_beside.findings(simulator, random)
    return [_examined(simulator, hook, random, calls, beside) for hook in simulator.hooks]


def _examined(
    simulator: Simulator, hook: Hook, random: np.random.Generator, calls: int, beside: Sequence[Finding]
) -> HookAudit:
    if not POSSIBLE:
        return HookAudit(hook.name, hook.after, 0, 0, 0, (), False, (_unknown(hook, "this platform cannot fork"),))
    try:
        with HookMemory(simulator, hook, random) as memory:
            search = HookSearch(simulator, hook, memory, random, calls)
            found = list(search.findings())
            extent = search.calls, search.worlds, search.raised, search.changes, search.stateful
    except ForkFailed as error:
        return HookAudit(hook.name, hook.after, calls, 0, 0, (), False, (*beside, _unknown(hook, str(error))))
    return HookAudit(hook.name, hook.after, *extent, tuple(dict.fromkeys((*beside, *found))))


def _unknown(hook: Hook, why: str) -> Finding:
    """Return the finding about a hook of which nothing can be said."""
    read = f"unknown: the hook could not be rehearsed, since {why}"
    return Finding("time-window", "hook", f"hook {hook.name}", read, "remote", None, REMEDIES["time-window"])
