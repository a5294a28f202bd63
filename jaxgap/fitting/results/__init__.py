"""What a fit reports: estimates, predictions, criteria, diagnostics, and the text of all of it."""
