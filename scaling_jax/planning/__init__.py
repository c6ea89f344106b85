"""What to train: the best run of a budget, where recipes cross, and designs of runs."""
