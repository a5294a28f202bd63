"""Random draws around a fit: the parametric bootstrap, and the posterior by NUTS."""
