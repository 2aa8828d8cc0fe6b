"""The experiment `stale-feedback`."""
