"""From a prior draw to a decision: what is done with a model before and after it is sampled from.

`prior` and `predictive` draw data, `predictive_check` compares them with those that came; each is a function of the
model's own arguments, compiled once for their shapes.
"""

from storax.samplers.workflow.attaching import with_data
from storax.samplers.workflow.checking import predictive_check
from storax.samplers.workflow.predicting import predictive
from storax.samplers.workflow.priors import prior

__all__ = ["predictive", "predictive_check", "prior", "with_data"]
