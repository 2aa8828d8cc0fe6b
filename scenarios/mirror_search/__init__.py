"""Do a weight mirror's best rate, decay and noise at one depth serve another (Nayebi 2020; Kunin et al. 2020)?"""
