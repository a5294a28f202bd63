"""Pictures of runs and fits, and the page that holds them.

Nothing here computes: a figure draws what a trajectory, a fit or a forecast already says.
"""
