"""Does recirculation learn as random backpropagation does (Baldi & Sadowski 2018, Figures 4 to 10)?"""
