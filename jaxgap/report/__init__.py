"""Figures of runs and fits, sentences about them, and the page with both.

Nothing here fits or forecasts: figures and sentences show what a trajectory, a fit or a forecast
already contains.
"""
