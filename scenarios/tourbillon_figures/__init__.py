"""What do stacks of circular autoencoders learn (Tavakoli, Sadowski & Baldi, Figures 3 to 9 and Table 1)?"""
