"""Runs from Python: start them, read them, compare them, and audit circuits."""
