"""Measurements of learning in a circuit: labels, symmetry, distances, modularity, costs, windows."""
