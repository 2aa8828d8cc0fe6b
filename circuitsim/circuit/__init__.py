"""Circuits: frozen descriptions of populations, projections and what they may touch; no arrays."""
