"""Audits of locality: from a circuit's description, by intervention, of hooks, by light cones."""
