"""The engine: lanes in, polished optima out. It knows laws and arrays; tables and files live outside.

A lane is one start of one fit. `coordinates` says where lanes move and `problem` what a lane evaluates, `lm`
and `lbfgs` how it steps (`solver` what any solver must offer), `lanes` runs any number of them in cache-sized
chunks, `starts` proposes where they begin, `newton` polishes them, and `solve` puts these together.
`predict` evaluates laws, and `behaviour` learns by that what a law does. `thinning` picks rows that stand for
a long table, and `kept` holds compiled programs within a bound.
"""
