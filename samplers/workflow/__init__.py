"""From a prior draw to a decision: what is done with a model before and after it is sampled from.

`prior` and `predictive` draw data, `predictive_check` compares them with those that came, `compare` models with each
other; `sbc` asks whether an inference recovers what it was given, `prior_sensitivity` what the prior decides.  Each is
a function of the model's own arguments, compiled once for their shapes.
"""

from storax.samplers.workflow.attaching import with_data
from storax.samplers.workflow.calibrating import Calibration, sbc
from storax.samplers.workflow.checking import predictive_check
from storax.samplers.workflow.comparing import Elpd, compare, loo, waic
from storax.samplers.workflow.predicting import predictive
from storax.samplers.workflow.priors import prior
from storax.samplers.workflow.sensitivity import Sensitivity, prior_sensitivity

__all__ = [
    "Calibration",
    "Elpd",
    "Sensitivity",
    "compare",
    "loo",
    "predictive",
    "predictive_check",
    "prior",
    "prior_sensitivity",
    "sbc",
    "waic",
    "with_data",
]
