"""A forecasting competition on real tables: every suite judged by what was learned without it."""
