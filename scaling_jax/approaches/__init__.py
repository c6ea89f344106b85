"""Approaches 1 and 2 of Hoffmann et al. 2022: the envelope of learning curves, and isoFLOP profiles."""
