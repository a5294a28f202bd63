"""Families of dynamics that can be fitted, with their coordinates, starts and constraints.

:mod:`jaxgap.fitting.laws.law` says what a law is; each law has a file of its own.
"""
