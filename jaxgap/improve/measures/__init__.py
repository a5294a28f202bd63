"""Measurements of a checkpoint: capabilities with errors, judgement, collapse."""
