"""Rules, windows and circuits that are not local: each is refused, with the reason.

Run: python examples/not_local.py
"""

from circuitsim import BadInput, Circuit, Population, Projection, local_rule, make_schedule
from circuitsim.circuit.weights import Transposed
from circuitsim.circuits.autoencoder import circular_autoencoder

teacher = [0.0] * 16


def from_elsewhere():
    """Build a rule that reads a value which neither of its neurons has."""

    @local_rule
    def cheat(pre, post, w):
        return (teacher[0] - post.at(0)) * pre.at(0)

    return cheat


def too_old():
    """Build recirculation around a slow loop, with neurons that forget too soon."""
    return make_schedule(*circular_autoencoder([64, 16, 64], delay=5, window=8))


def transported():
    """Build a feedback path with the forward weights, in a circuit that is declared local."""
    return Circuit(
        "tied",
        (Population("layer0", 64), Population("layer1", 16), Population("image", 64, site="layer0")),
        (Projection("A1", "layer0", "layer1"), Projection("B1", "layer1", "image", weights=Transposed("A1"))),
        inputs="layer0",
        outputs="image",
        local=True,
    )


for attempt in (from_elsewhere, too_old, transported):
    try:
        attempt()
    except BadInput as refusal:
        print(f"{attempt.__name__}: {refusal}\n")
