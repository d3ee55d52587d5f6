"""`lax.scan` with random choices inside, or random inputs: step after step, given what the steps before have shown.

The body is a program of its own (`stepping`), of which a step's outputs are observed.  What its draws turn out to be
gives the carries of the next step; carries that stay random are followed by the Kalman filter (`filtering`), or, if
they have few values, by the forward algorithm (`states`; Rabiner 1989).  What depends on a whole loop at once is
derivable if it is Gaussian (`trajectories`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storax.errors import NotMeasurable
from storax.logprob.deriving.randoms import Random
from storax.logprob.deriving.stepping import Determined
from storax.logprob.deriving.walking import Walk


def settle(solver: Any) -> bool:
    """Settle all observed outputs of a loop, if nothing else that is observed depends on what stays random in it."""
    tried = set()
    for o in solver.left:
        node = o.node
        if node.kind != "equation" or node.equation.primitive.name != "scan" or id(node.siblings) in tried:
            continue
        tried.add(id(node.siblings))
        group = [x for x in solver.left if x.node.siblings is node.siblings]
        for open_start in (False, True):
            try:
                _settle(solver, group, open_start)
                return True
            except Determined as error:
                raise NotMeasurable(f"{solver.call}: {node.label} {error}.") from None
            except NotMeasurable as error:
                solver.loop_whys.setdefault(id(node.siblings), str(error))
    return False


def _settle(solver: Any, group: Sequence[Any], open_start: bool) -> None:
    from storax.logprob.deriving.running import Run
    from storax.logprob.deriving.trajectories import token

    run = Run(solver, group, open_start)
    run.run()
    walk = Walk({**solver.walk.known, **run.learned})
    others = [o for o in solver.left if not any(o is x for x in group)]
    hidden = {token(group[0].node), *run.consumed}
    left = [walk(o.node) for o in [*others, *run.pushed]]
    if any(isinstance(r, Random) and hidden.intersection(r.deps) for r in left):
        raise NotMeasurable("shares draws with something else that is observed, and does not determine them")
    solver.settle_loop(group, run.terms, run.pushed, run.learned)
