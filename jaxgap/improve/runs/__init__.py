"""Runs kept in a folder: files, checkpoints, and resuming."""
