"""Experiment: how fast may random feedback change before learning suffers (Baldi & Sadowski 2018, 4.1 and 6.1)?"""
