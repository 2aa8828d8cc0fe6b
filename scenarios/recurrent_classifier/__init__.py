"""Experiment: how well does a recurrent convolutional classifier learn, and from which feedback through time?"""
