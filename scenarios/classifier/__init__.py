"""Experiment: how well does a layered classifier learn with backpropagation or with other feedback?"""
