"""From a table to checked arrays: the runs a fit sees, learning curves, scales, components, and a store of
chunks."""
