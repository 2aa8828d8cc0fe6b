"""Experiment: which learning channels does a standard autoencoder need (Baldi & Sadowski 2018, Table 5)?"""
