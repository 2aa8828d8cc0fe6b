"""Audits, figures and reports: what is made of a run once the engine has done its work."""
