"""Names that a user may have meant: close spellings, and the words of other libraries for the same thing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SYNONYMS: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate", "learningrate", "eta", "alpha", "step_size", "rate"),
    "sizes": ("hidden_size", "hidden_sizes", "hidden_dim", "hidden_units", "hidden_layers", "layer_sizes", "n_hidden",
              "num_hidden", "architecture", "units", "width"),
    "batch": ("batch_size", "batchsize", "minibatch", "minibatch_size"),
    "epochs": ("n_epochs", "num_epochs", "max_epochs", "epoch", "iterations", "n_iter", "max_iter"),
    "momentum": ("optimizer", "optimiser", "solver", "beta", "nesterov"),
    "hidden": ("activation", "activations", "nonlinearity", "transfer", "hidden_activation"),
    "output": ("output_activation", "final_activation"),
    "seed": ("random_state", "random_seed", "rng", "manual_seed"),
    "dataset": ("data", "data_set", "train_data"),
    "train_limit": ("n_train", "num_train", "max_examples", "subset"),
    "test_limit": ("n_test", "num_test"),
    "weight_decay": ("l2", "regularization", "regularisation", "lambda", "decay"),
    "max_norm": ("clip", "clip_norm", "max_grad_norm", "gradient_clipping"),
    "lr_decay": ("scheduler", "lr_scheduler", "gamma", "learning_rate_decay"),
    "lr_warmup": ("warmup", "warm_up", "warmup_epochs"),
    "lr_steps": ("milestones", "lr_milestones", "step_size"),
    "init": ("initializer", "initialization", "initialisation", "weight_init"),
    "dtype": ("precision", "float"),
    "loss": ("criterion", "objective"),
    "feedback": ("rule", "algorithm", "method", "learning_rule"),
    "rule": ("feedback", "algorithm", "method", "learning_rule"),
    "cycles": ("n_cycles", "num_cycles", "steps"),
    "bias": ("use_bias", "biases"),
    "layers": ("model", "net"),
    "augment_shift": ("augment", "augmentation", "shift"),
    "standardise": ("standardize", "normalize", "normalise"),
}  # fmt: skip
"""What users of other libraries call a key."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return a question with the known name that was meant by an unknown one, or "".

    Examples
    --------
    >>> did_you_mean("learning_rate", ["lr", "batch"])
    'Did you mean lr?'
    """
    names = list(known)
    plain = given.lower().replace("-", "_")
    meant = [name for name in names if plain == name or plain in SYNONYMS.get(name, ())]
    found = meant or difflib.get_close_matches(given, names, 1)
    return f"Did you mean {found[0]}?" if found else ""
