"""What people call: `sj.fit` and its kin, and the results that answer every question about a fit."""
