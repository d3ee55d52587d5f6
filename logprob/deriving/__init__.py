"""A program is a distribution: the density of what a program computes, derived from its jaxpr.

`graphs` reads the program as a graph of draws and equations.  Walking it forward, an array is known or `Random`, and
a random one has a `Law` for each of its elements: a small rule a primitive (`rules`) says which.  Values travel
backward, from what is observed to the draws behind it: `solving` settles one observation after another, so that what
depends on those draws is known from then on.  What no rule can derive is refused.
"""
