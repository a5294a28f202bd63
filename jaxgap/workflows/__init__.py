"""Workflows that need both halves: runs of the language model, analysed with the equations."""
