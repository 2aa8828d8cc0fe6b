"""The experiment `weight-transport`."""
