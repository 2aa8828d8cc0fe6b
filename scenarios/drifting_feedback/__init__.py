"""The experiment `drifting-feedback`."""
