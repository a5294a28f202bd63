"""Figures of runs and fits, their sentences, and the page that holds both.

Nothing here fits or forecasts: figures and words show what a trajectory, a fit or a forecast
already contains.
"""
