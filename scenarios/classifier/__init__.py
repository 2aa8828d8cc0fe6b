"""The experiment `classifier`."""
