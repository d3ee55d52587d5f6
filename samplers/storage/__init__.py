"""A posterior outside of this library: as nested dicts, for pandas, xarray and ArviZ of either world, and in files.

`grouping` knows ArviZ's groups, `exporting` converts, `saving` reads and writes.  Nothing here is imported from other
libraries before it is used.
"""
