"""How sure a fit is: ensembles of parameter vectors, and what the curvature and the likelihood say."""
