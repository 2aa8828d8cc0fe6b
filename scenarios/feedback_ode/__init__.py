"""The experiment `feedback-ode`."""
