"""Experiment: kinds of feedback compared at settings found for each with the same budget of trials."""
