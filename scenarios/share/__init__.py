"""Experiment: do untied layers learn filters as shared ones do, once images are translated (Ott et al. 2020)?"""
