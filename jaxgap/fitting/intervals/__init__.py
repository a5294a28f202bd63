"""How well the data determine the numbers of a fit: profile likelihoods and identifiability."""
