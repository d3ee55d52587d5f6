"""What JAX itself would do to a site without asking: refused in words, before it is done."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import partial_eval as pe

from storax import jaxprs
from storax.errors import ControlFlowError
from storax.surveying import survey

_remat_p = jax.make_jaxpr(jax.checkpoint(lambda x: x))(jax.ShapeDtypeStruct((), jnp.float32)).eqns[0].primitive
_jax_splits_remat = pe.custom_partial_eval_rules[_remat_p]


def _split_remat(trace: Any, *tracers: Any, **params: Any) -> Any:
    if jaxprs.has_sites(params["jaxpr"]):
        sites = ", ".join(i.site.label for i in survey(params["jaxpr"]).values())
        raise ControlFlowError(
            f"{sites}: in a jax.checkpoint that an inner jax.grad differentiates, which would run it twice. Sample "
            f"outside of the function that is differentiated, and pass the value in."
        )
    return _jax_splits_remat(trace, *tracers, **params)


pe.custom_partial_eval_rules[_remat_p] = _split_remat
