"""The engine: lanes in, certified optima out. It knows arrays only; tables, names and files live outside.

A lane is one start of one fit. `problem` says what a lane evaluates, `lm` and `lbfgs` how it steps, `lanes`
runs any number of them in cache-sized chunks, `starts` proposes where they begin, `newton` polishes and
certifies, and `solve` puts these together.
"""
