"""The experiment `mirror-search`."""
