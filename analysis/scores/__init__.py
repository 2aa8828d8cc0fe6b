"""What learning costs in a circuit, measured: labels, symmetry, distances, modularity, operations, windows."""
