"""Experiment: how old may feedback weights be, and how long may updates wait, before learning breaks?"""
