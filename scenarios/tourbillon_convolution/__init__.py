"""Experiment: Tourbillon on images: convolutional and untied blocks, stacks, fine-tuning, twins."""
