"""Timing: the protocol of a presentation, its events, and the schedule that follows from delays."""
