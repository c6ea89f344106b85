"""Approaches 1, 2 and 3 of Hoffmann et al. 2022: envelopes, isoFLOP profiles, and all three at once."""
