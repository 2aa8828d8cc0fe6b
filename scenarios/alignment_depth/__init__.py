"""Do the settings of feedback rules that a search finds on a small residual network serve deeper ones?"""
