"""Audits of locality: from the description, by intervention, of hooks, of the light-cone."""
