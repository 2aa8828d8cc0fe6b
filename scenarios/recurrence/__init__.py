"""Experiment: which recurrence helps, beside feedforward networks of equal width and of equal numbers of weights?"""
