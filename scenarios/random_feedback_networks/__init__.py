"""Experiment: do networks of convolutions learn when feedback weights begin at random and are updated (Amit 2019)?"""
