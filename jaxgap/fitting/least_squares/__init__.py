"""Thousands of small nonlinear least-squares problems, solved side by side.

A minimiser is an iteration, and :mod:`jaxgap.fitting.least_squares.lanes` runs iterations on many
problems at once.
"""
