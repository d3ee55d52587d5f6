"""XLA's options on a processor: small loops as native code.

XLA runs a loop on a CPU as a list of small kernels, each of which is launched at every trip; for a model of a few
parameters the launches take ten times as long as the arithmetic.  It can also compile a whole loop to one native
function, and does so where the loop touches less than some number of bytes: 1 kB, unless an option says otherwise.
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache

import jax
import jax.numpy as jnp
from jax import lax

OPTION = "xla_cpu_small_while_loop_byte_threshold"
BYTES = 2**20  # the arrays of NUTS for some hundred parameters and some thousand data
OPT_OUT = "STORAX_TUNE_CPU"

_log = logging.getLogger("storax")


def tune_cpu() -> bool:
    """Has XLA compile small loops to native code, which makes samplers of small models 5 to 10 times faster.

    `import storax` calls this, unless the environment variable `STORAX_TUNE_CPU` is 0.  It sets an option of XLA in
    `XLA_FLAGS`, which is read once, when JAX first computes something: import storax before that.  The option applies
    to all programs of the process.  Results stay the same up to rounding; loops with large matrix products inside, if
    they touch less than 1 MB, may become slower by half.

    Returns:
        Whether small loops are native code now.  With False a line in the log "storax" says why.

    >>> import storax as sx
    >>> sx.tune_cpu() in (True, False)
    True
    """
    if jax.default_backend() != "cpu":
        _log.info("tune_cpu has no effect: JAX computes on %s.", jax.default_backend())
        return False
    if not loops_are_native():
        _log.warning(
            "Small loops are not compiled to native code, and sampling is slower for it: JAX had computed something "
            "before storax was imported, or %s=0 was set, or XLA_FLAGS has xla_backend_extra_options of its own. "
            "Import storax first, or set XLA_FLAGS=%s.", OPT_OUT, _flag(),
        )  # fmt: skip
        return False
    return True


def ask_for_native_loops() -> None:
    """Sets the option for a backend that is not running yet; what is set already stays."""
    flags = os.environ.get("XLA_FLAGS", "")
    if os.environ.get(OPT_OUT, "1") != "0" and "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_flag()}".strip()


def _flag() -> str:
    return f"--xla_backend_extra_options={OPTION}={BYTES}"


@lru_cache(1)
def loops_are_native() -> bool:
    """Whether the running backend has the option, as a compiled loop over 4 kB shows."""
    if jax.default_backend() != "cpu":
        return False
    loop = jax.jit(lambda x: lax.while_loop(lambda x: x[0] < 3, lambda x: jnp.sin(x) + 2, x))
    return "xla_cpu_small_call" in (loop.lower(jnp.zeros(1024)).compile().as_text() or "")
