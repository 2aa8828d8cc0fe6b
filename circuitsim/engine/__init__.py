"""The simulation itself: arrays, bound steps, and the loop that shows examples."""
