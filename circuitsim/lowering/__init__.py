"""From a scalar rule to matrix products or generated loops."""
