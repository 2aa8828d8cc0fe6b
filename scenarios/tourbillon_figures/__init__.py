"""Experiment: what do stacks of circular autoencoders learn (Tavakoli, Sadowski & Baldi, figures 3 to 9, table 1)?"""
