"""Thousands of small nonlinear least-squares problems, solved in parallel.

A minimiser is an iteration, and :mod:`jaxgap.fitting.least_squares.lanes` runs iterations on many
problems at once.
"""
