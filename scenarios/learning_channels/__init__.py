"""The experiment `learning-channels`."""
