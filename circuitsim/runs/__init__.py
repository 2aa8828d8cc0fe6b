"""Runs on disk: scenarios, their settings, and what a run folder holds."""
