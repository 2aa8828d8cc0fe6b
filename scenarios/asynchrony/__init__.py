"""Experiment: which irregularity of time breaks recirculation first?"""
