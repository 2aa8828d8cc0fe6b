"""Experiment: which of ten kinds of feedback learn as well as backpropagation's transposed weights, at which depth?"""
