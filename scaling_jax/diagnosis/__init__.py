"""What a fit is worth where it will be used: backtests, other choices, new runs, measures of error."""
