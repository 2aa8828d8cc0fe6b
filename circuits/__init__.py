"""Functions that return circuits: descriptions only."""
