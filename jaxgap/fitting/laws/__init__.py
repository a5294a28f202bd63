"""Families of dynamics that can be fitted, with their coordinates, starts and constraints.

:mod:`jaxgap.fitting.laws.law` defines what a law is; each law has its own module.
"""
