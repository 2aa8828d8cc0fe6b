"""Which irregularity of time breaks recirculation first?"""
