"""Experiment: how do five problems of learning in a physical circuit grow with depth (Tavakoli, Sadowski & Baldi)?"""
