"""Experiments: one a file, with its settings, what it runs and what it writes."""
