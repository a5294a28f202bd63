"""A run that is kept in a folder: its files, checkpoints, and how it resumes."""
