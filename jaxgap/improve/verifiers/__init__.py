"""Verifiers, which score candidates; only the exact one sees reference answers."""
