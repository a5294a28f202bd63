"""How well data determine the numbers of a fit: profile likelihoods and identifiability."""
