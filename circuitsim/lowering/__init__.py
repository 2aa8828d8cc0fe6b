"""Lowering of scalar rules to matrix products or generated loops."""
