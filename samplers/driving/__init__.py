"""Many chains of any kernel, from their starts through a warm-up of all together to their draws.

`driver.py` is the whole run as one pure function.  Chains are driven one after another in native loops
(`sequential.py`) or side by side without waiting (`batched.py`), on one device or on many (`sharding.py`); `chains.py`
is what both have in common.
"""
