"""Which of the ten kinds of feedback learn as well as backpropagation's transposed weights, and at which depth?"""
