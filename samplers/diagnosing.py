"""What went wrong in a run, seen from its draws and statistics: the checks behind `post.diagnose()`.

Thresholds: R-hat and ESS of Vehtari et al. 2021 (sec. 4), E-BFMI of Betancourt 2016 (arXiv 1604.00695, eq. 9; 0.3 as in
Stan).  Each check looks at a posterior and says what it found, in words, with what to do.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from storax import tables
from storax.samplers.disagreeing import apart, concentration

if TYPE_CHECKING:
    from storax.samplers.posterior import Posterior

RHAT, ESS_PER_CHAIN, DEEP, BFMI, MOVED = 1.01, 100, 0.05, 0.3, 0.05
FEWEST = 100  # draws of a chain: below that the diagnostics themselves are noise


class Finding(NamedTuple):
    """One check: `ok` is None where there was nothing to look at; `text` says what is wrong and what to do."""

    name: str
    ok: bool | None
    value: str
    expected: str
    text: str = ""


class Diagnosis(tables.Named[Finding]):
    """The checks of a run by name; prints as a table, with what to do below it."""

    unknown = "There is no check named"

    @property
    def ok(self) -> bool:
        """Did no check find anything?"""
        return all(f.ok is not False for f in self.values())

    @property
    def complaints(self) -> list[str]:
        """What is wrong, in words, the worst first."""
        return [f.text for f in self.values() if f.ok is False]

    def _rows(self) -> list[list[str]]:
        verdict = {True: "ok", False: "look", None: "-"}
        return [["check", "found", "expected", ""]] + [
            [f.name, f.value, f.expected, verdict[f.ok]] for f in self.values()
        ]

    def __repr__(self) -> str:
        return "\n".join([tables.aligned(self._rows()), *(f"* {text}" for text in self.complaints)])

    def _repr_html_(self) -> str:
        texts = "".join(f"<li>{html.escape(t)}</li>" for t in self.complaints)
        return f"{tables.to_html(self._rows())}<ul>{texts}</ul>"


def diagnose(posterior: Posterior) -> Diagnosis:
    """All checks of a posterior; those whose statistics it does not have are left open."""
    stuck = [c for c in range(posterior.num_chains) if posterior.samples and _did_not_move(posterior, c)]
    findings = [_moving(posterior, stuck)]
    findings += [check(posterior) for check in (_defined, _divergences, _depth, _energy)]
    if posterior.moments and not posterior.samples:
        findings += _mixing_of_moments(posterior)
    else:
        findings += _mixing(posterior) if not stuck else _open_mixing("a chain did not move")
    return Diagnosis({f.name: f for f in findings})


def _stat(posterior: Posterior, name: str) -> Any:
    return posterior.stats.get(name)


def _moving(posterior: Posterior, stuck: list[int]) -> Finding:
    name, expected = "chains that move", "all"
    if not posterior.samples:
        return Finding(name, None, "no draws kept", expected)
    if not stuck:
        return Finding(name, True, "all", expected)
    sizes = _stat(posterior, "step_size")
    step = "" if sizes is None else f" (step size {', '.join(f'{s:.3g}' for s in sizes[stuck, -1])})"
    listing = ", ".join(map(str, stuck))
    return Finding(name, False, f"not {listing}", expected, (
        f"Chains did not move: {listing}{step}. Their draws are worthless. The density may be nan or flat around them, "
        f"or vary by many orders of magnitude: look at the warm-up's stats, rescale the parameters, start elsewhere "
        f"with init=."
    ))  # fmt: skip


def _defined(posterior: Posterior) -> Finding:
    undefined, name = _stat(posterior, "undefined"), "densities of nan"
    if undefined is None:
        return Finding(name, None, "not recorded", "0")
    count = int(undefined.sum())
    return Finding(name, not count, str(count), "0", (
        f"{count} of {undefined.size} draws met a density of nan: the model is not defined somewhere that the chains "
        f"can reach (the log or root of a negative number, say), and no draw comes from there. Guard it with "
        f"jnp.where, or restrict a prior; sx.log_likelihood at such a value names the site."
    ))  # fmt: skip


def _divergences(posterior: Posterior) -> Finding:
    diverging, name = _stat(posterior, "diverging"), "divergences"
    if diverging is None:
        return Finding(name, None, "not recorded", "0")
    undefined = _stat(posterior, "undefined")
    diverging = diverging if undefined is None else diverging & ~undefined
    by_chain = diverging.sum(1)
    count = int(by_chain.sum())
    where = concentration(posterior, diverging) if count and posterior.samples else ""
    return Finding(name, not count, str(count), "0", (
        f"{count} of {diverging.size} draws ended in a divergence (by chain: {', '.join(str(int(n)) for n in by_chain)}"
        f"): the sampler could not follow the posterior somewhere, and the draws are biased away from there."
        f"{where} Reparameterise (a non-centred scale), tighten priors, or raise target_accept: "
        f"sx.nuts(target_accept=0.95)."
    ))  # fmt: skip


def _depth(posterior: Posterior) -> Finding:
    reached, name = _stat(posterior, "reached_max_treedepth"), "saturated trees"
    if reached is None:
        return Finding(name, None, "not recorded", f"< {DEEP:.0%}")
    share = float(reached.mean())
    depth = _stat(posterior, "tree_depth")
    limit = f"={int(depth[reached].max())}" if depth is not None and reached.any() else ""
    return Finding(name, share <= DEEP, f"{share:.1%}", f"< {DEEP:.0%}", (
        f"{share:.0%} of the draws reached max_tree_depth{limit}: slow, not wrong. Rescale the parameters, use "
        f"sx.nuts(dense_mass=True), or allow more."
    ))  # fmt: skip


def bfmi(energy: np.ndarray) -> np.ndarray:
    """Energy Bayesian fraction of missing information of each chain (Betancourt 2016, eq. 9); nan if constant.

    Args:
        energy: `[chain, draw]`.
    """
    energy = np.asarray(energy, float)
    with np.errstate(all="ignore"):
        return np.square(np.diff(energy, axis=1)).mean(1) / energy.var(1, ddof=1)


def _energy(posterior: Posterior) -> Finding:
    energy, name, expected = _stat(posterior, "energy"), "E-BFMI", f">= {BFMI}"
    if energy is None or posterior.num_samples < FEWEST:
        return Finding(name, None, "not recorded" if energy is None else f"< {FEWEST} draws", expected)
    values = bfmi(energy)
    if np.isnan(values).all():
        return Finding(name, None, "-", expected)
    low = [c for c in range(len(values)) if values[c] < BFMI]
    listing = ", ".join(f"{values[c]:.2f} in chain {c}" for c in low)
    return Finding(name, not low, f"{np.nanmin(values):.2f}", expected, (
        f"E-BFMI is below {BFMI} ({listing}): the energy changes too little from draw to draw to explore the tails "
        f"(a heavy-tailed or funnel-shaped posterior). Reparameterise the scales, or use priors with lighter tails."
    ))  # fmt: skip


_MIXING = ("R-hat", "bulk ESS", "tail ESS", "chains that agree")


def _expected(posterior: Posterior | None) -> list[str]:
    need = f">= {ESS_PER_CHAIN * posterior.num_chains}" if posterior else f">= {ESS_PER_CHAIN} a chain"
    return [f"<= {RHAT}", need, need, "all"]


def _open_mixing(why: str, posterior: Posterior | None = None) -> list[Finding]:
    return [Finding(n, None, why, e) for n, e in zip(_MIXING, _expected(posterior), strict=True)]


def _mixing(posterior: Posterior) -> list[Finding]:
    if not posterior.samples or posterior.num_samples < FEWEST:
        return _open_mixing(f"< {FEWEST} draws", posterior)
    summary = posterior.summary()
    rhat, bulk, tail = (summary.columns[c] for c in ("rhat", "ess_bulk", "ess_tail"))
    if np.isnan(rhat).all():
        return _open_mixing("-", posterior)
    expected, need, names = _expected(posterior), ESS_PER_CHAIN * posterior.num_chains, summary.names
    worst = int(np.nanargmax(rhat))
    where = apart(posterior)
    found = [Finding(_MIXING[0], not rhat[worst] > RHAT, f"{rhat[worst]:.3f} ({names[worst]})", expected[0], (
        f"R-hat is {rhat[worst]:.3f} for {names[worst]} ({int((rhat > RHAT).sum())} of {len(rhat)} numbers above "
        f"{RHAT}): the chains have not mixed. Run longer, or look for several modes or a weakly identified parameter."
    ))]  # fmt: skip
    advice = {"bulk": "means and medians are noisy", "tail": "the ends of intervals are noisy"}
    for i, (kind, ess) in enumerate((("bulk", bulk), ("tail", tail)), start=1):
        k = int(np.nanargmin(ess))
        found.append(Finding(_MIXING[i], not ess[k] < need, f"{ess[k]:.0f} ({names[k]})", expected[i], (
            f"The effective sample size ({kind}) of {names[k]} is {ess[k]:.0f}, below {need}: {advice[kind]}. Draw "
            f"more samples."
        )))  # fmt: skip
    return [*found, Finding(_MIXING[3], not where, "not all" if where else "all", expected[3], where)]


def _mixing_of_moments(posterior: Posterior) -> list[Finding]:
    """What can be told of draws that were not kept."""
    summary, (_, *rest) = posterior.summary(), _open_mixing("no draws kept", posterior)
    rhat = summary.columns["rhat"]
    if posterior.num_samples < FEWEST or np.isnan(rhat).all():
        return _open_mixing("no draws kept", posterior)
    worst = int(np.nanargmax(rhat))
    return [Finding(_MIXING[0], not rhat[worst] > RHAT, f"{rhat[worst]:.3f} ({summary.names[worst]})", f"<= {RHAT}", (
        f"R-hat is {rhat[worst]:.3f} for {summary.names[worst]} ({int((rhat > RHAT).sum())} of {len(rhat)} numbers "
        f"above {RHAT}): the chains have not mixed. Run longer, or keep the draws (reduce=False) and look at them."
    )), *rest]  # fmt: skip


def _did_not_move(posterior: Posterior, chain: int) -> bool:
    """Fewer than 5 % of the transitions changed anything."""
    moved = np.zeros(max(posterior.num_samples - 1, 0), bool)
    for draws in posterior.samples.values():
        if jnp.issubdtype(draws.dtype, jnp.inexact):  # NumPy does not know bfloat16
            x = draws[chain].reshape(posterior.num_samples, -1)
            moved |= (x[1:] != x[:-1]).any(1)
    return len(moved) >= 20 and bool(moved.mean() < MOVED)
