"""The experiment `asynchrony`."""
