"""Samplers of Hamiltonian motion: each is a state machine that takes one gradient at a time.

`kernel.py` says what they have in common, and makes them pairs of pure functions, `init` and `step`.  `nuts.py` and
`hmc.py` are two of them.  They know a log density on R^n and nothing of models.
"""
