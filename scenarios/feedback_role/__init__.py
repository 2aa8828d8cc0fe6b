"""Experiment: do long-range feedback edges serve inference, learning, both or neither?"""
