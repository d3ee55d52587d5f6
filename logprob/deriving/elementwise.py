"""Elementwise functions of one random number, primitive by primitive: where they are monotone, and their inverse."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as special
import numpy as np

from storax.logprob.deriving.pieces import Branch, known_all
from storax.logprob.deriving.randoms import Step
from storax.logprob.deriving.registry import STRETCHES, refuse, register

inf, pi = np.inf, np.pi


def up(inverse: Any, low: float = -inf, high: float = inf) -> Branch:
    return Branch(inverse, low, high)


def down(inverse: Any, low: float = -inf, high: float = inf) -> Branch:
    return Branch(inverse, low, high, -1)


def _identity(y: Any) -> Any:
    return y


def _log_expm1(y: Any) -> Any:
    return y + jnp.log(-jnp.expm1(-y))


for _name in ("copy", "copy_p", "stop_gradient", "optimization_barrier", "real", "reduce_precision"):
    register(_name, _identity)
register("exp", jnp.log)
register("exp2", jnp.log2)
register("log", jnp.exp, low=0.0)
register("log2", jnp.exp2, low=0.0)
register("log1p", jnp.expm1, low=-1.0)
register("expm1", jnp.log1p)
register("neg", jnp.negative, sign=-1)
register("sqrt", jnp.square, low=0.0)
register("rsqrt", lambda y: 1 / jnp.square(y), low=0.0, sign=-1)
register("cbrt", lambda y: y**3)
register("logistic", lambda y: jnp.log(y) - jnp.log1p(-y))
register("tanh", jnp.arctanh)
register("sinh", jnp.arcsinh)
register("asinh", jnp.sinh)
register("cosh", [down(lambda y: -jnp.arccosh(y), -inf, 0.0), up(jnp.arccosh, 0.0)])
register("acosh", jnp.cosh, low=1.0)
register("atanh", jnp.tanh, low=-1.0, high=1.0)
register("atan", jnp.tan)
register("asin", jnp.sin, low=-1.0, high=1.0)
register("acos", jnp.cos, low=-1.0, high=1.0, sign=-1)
register("erf", special.erfinv)
register("erfc", lambda y: -special.ndtri(0.5 * y) / math.sqrt(2.0), sign=-1)
register("erf_inv", special.erf, low=-1.0, high=1.0)
register("abs", [down(jnp.negative, -inf, 0.0), up(_identity, 0.0)])
register("square", [down(lambda y: -jnp.sqrt(y), -inf, 0.0), up(jnp.sqrt, 0.0)])
register("jit:softplus", _log_expm1)
register("jit:log_sigmoid", lambda y: -_log_expm1(-y))
register("custom_jvp_call:logit", jax.nn.sigmoid, low=0.0, high=1.0)
register("jit:logit", jax.nn.sigmoid, low=0.0, high=1.0)
register("jit:ndtr", special.ndtri)
register("jit:ndtri", special.ndtr, low=0.0, high=1.0)
register("custom_jvp_call:ndtri", special.ndtr, low=0.0, high=1.0)
register("custom_jvp_call:_erfcx", [Branch(None, sign=-1, image=(0.0, inf))])
register("jit:soft_sign", [Branch(lambda y: y / (1 - jnp.abs(y)), image=(-1.0, 1.0))])
for _name in ("jit:log_ndtr", "custom_jvp_call:log_ndtr"):
    register(_name, [Branch(None, image=(-inf, 0.0))])  # searched for: exp(y) underflows


def _integer_pow(step: Step, place: int) -> list[Branch]:
    return powers(step.params["y"])


def powers(n: int) -> list[Branch]:
    """x^n for a whole n."""
    if n == 0:
        refuse("is 1 whatever its argument")
    if n == 1:
        return [up(_identity)]
    root = lambda y: jnp.sign(y) * jnp.abs(y) ** (1.0 / n)  # noqa: E731
    if n % 2:
        return [up(root)] if n > 0 else [down(root, -inf, -0.0), down(root, 0.0)]
    even_root = lambda y: jnp.abs(y) ** (1.0 / n)  # noqa: E731
    left = Branch(lambda y: -even_root(y), -inf, -0.0, -1 if n > 0 else 1)
    return [left, Branch(even_root, 0.0, inf, 1 if n > 0 else -1)]


STRETCHES["integer_pow"] = _integer_pow


def _sign_of(c: Any, what: str) -> Any:
    """1 or -1; a traced array if the sign is not known.

    Raises:
        NotMeasurable: c is known to be 0 somewhere.
    """
    if known_all(lambda c, z: c > z, c, 0.0):
        return 1
    if known_all(lambda c, z: c < z, c, 0.0):
        return -1
    if not isinstance(c, jax.core.Tracer) and (np.asarray(c) == 0).any():
        refuse(f"{what} by 0, so that nothing of the random quantity is left")
    return jnp.where(jnp.asarray(c) > 0, 1.0, -1.0)


def _other(step: Step, place: int) -> Any:
    return step.inputs[1 - place]


def _add(step: Step, place: int) -> list[Branch]:
    c = _other(step, place)
    return [Branch(lambda y: y - c, image=(-inf, inf))]


def _sub(step: Step, place: int) -> list[Branch]:
    c = _other(step, place)
    if place == 0:
        return [Branch(lambda y: y + c, image=(-inf, inf))]
    return [Branch(lambda y: c - y, sign=-1, image=(-inf, inf))]


def _mul(step: Step, place: int) -> list[Branch]:
    c = _other(step, place)
    return [Branch(lambda y: y / c, sign=_sign_of(c, "multiplies"), image=(-inf, inf))]


def _div(step: Step, place: int) -> list[Branch]:
    c = _other(step, place)
    if place == 0:
        return [Branch(lambda y: y * c, sign=_sign_of(c, "divides"), image=(-inf, inf))]
    sign = -_sign_of(c, "divides")
    if not isinstance(sign, int):
        refuse("divides a number of unknown sign by a random quantity")
    images = ((-inf, 0.0), (0.0, inf)) if sign < 0 else ((0.0, inf), (-inf, 0.0))
    return [Branch(lambda y: c / y, -inf, -0.0, sign, images[0]), Branch(lambda y: c / y, 0.0, inf, sign, images[1])]


def _pow(step: Step, place: int) -> list[Branch]:
    c = _other(step, place)
    if place == 1:  # c^x
        if known_all(lambda c, z: c > z, c, 0.0):
            if not known_all(lambda c, one: c != one, c, 1.0):
                refuse("raises 1 to a power")
            sign = _sign_of(jnp.log(c) if isinstance(c, jax.core.Tracer) else np.log(np.asarray(c)), "multiplies")
            return [Branch(lambda y: jnp.log(y) / jnp.log(c), sign=sign, image=(0.0, inf))]
        if isinstance(c, jax.core.Tracer):
            sign = jnp.where(jnp.asarray(c) > 1, 1.0, -1.0)
            return [Branch(lambda y: jnp.log(y) / jnp.log(c), sign=sign, image=(0.0, inf))]
        return refuse("raises a number that is not positive to a random power")
    if known_all(lambda c, z: c == z, c, np.asarray(c).ravel()[0]) if not isinstance(c, jax.core.Tracer) else False:
        n = float(np.asarray(c).ravel()[0])
        if n == round(n) and abs(n) < 2**20:
            return powers(int(n))
    return [Branch(lambda y: y ** (1 / c), 0.0, inf, _sign_of(c, "raises to a power"), (0.0, inf))]


for _name, _rule in {"add": _add, "sub": _sub, "mul": _mul, "div": _div, "pow": _pow, "add_any": _add}.items():
    STRETCHES[_name] = _rule


def _log_add_exp(step: Step, place: int) -> list[Branch]:
    c = _other(step, place)
    return [Branch(lambda y: y + jnp.log(-jnp.expm1(c - y)), image=(-inf, inf))]


def _square_plus(step: Step, place: int) -> list[Branch]:
    """(x + sqrt(x^2 + b)) / 2."""
    with jax.ensure_compile_time_eval():
        b = jnp.square(2 * step.of(jnp.zeros(step.shape, step.aval.dtype)))  # its value at 0 is sqrt(b) / 2
    if place != 0 or not known_all(lambda b, z: b > z, b, 0.0):
        refuse("has a smoothing that is random or not known to be positive")
    return [Branch(lambda y: y - b / (4 * y), image=(0.0, inf))]


def _atan2(step: Step, place: int) -> list[Branch]:
    c = _other(step, place)
    if place != 0 or not known_all(lambda c, z: c > z, c, 0.0):
        refuse("is an angle to a number that is random or not known to be positive")
    return [Branch(lambda y: c * jnp.tan(y), image=(-pi / 2, pi / 2))]


for _name, _rule in {"custom_jvp_call:logaddexp": _log_add_exp, "jit:logaddexp": _log_add_exp, "atan2": _atan2,
                     "jit:squareplus": _square_plus}.items():  # fmt: skip
    STRETCHES[_name] = _rule


def _periodic(inverse: Any, first: float, rising: bool) -> Any:
    """Stretches of length pi, the first of which begins at `first`; `inverse` is of the one around 0."""

    def rule(step: Step, place: int) -> list[Branch]:
        from storax.logprob.deriving.images import Image

        law = step.inputs[place].law
        if law is None:
            refuse("goes up and down without end, and the range of its argument is not known")
        low, high = Image.of(law).ends
        if not known_all(lambda a, b: np.isfinite(b - a) & (b - a < 200), low, high):
            refuse("goes up and down without end, and the range of its argument is not known to be bounded")
        low, high = float(np.min(low)), float(np.max(high))
        k0, k1 = int(np.floor((low - first) / pi + 1e-6)), int(np.ceil((high - first) / pi - 1e-6))
        found = [_stretch(inverse, first + k * pi, k, rising) for k in range(k0, max(k1, k0 + 1))]
        found[0] = found[0]._replace(low=min(low, found[0].low))  # ends like pi / 2 are rounded
        found[-1] = found[-1]._replace(high=max(high, found[-1].high))
        return found

    return rule


def _stretch(inverse: Any, begin: float, k: int, alternates: bool) -> Branch:
    falls = alternates and k % 2 != 0
    return Branch(lambda y: inverse(y, k), begin, begin + pi, -1 if falls else 1, None if alternates else (-inf, inf))


STRETCHES["sin"] = _periodic(lambda y, k: k * pi + (-1) ** (k % 2) * jnp.arcsin(y), -pi / 2, True)
STRETCHES["cos"] = _periodic(lambda y, k: (k - 0.5) * pi + (-1) ** (k % 2) * jnp.arcsin(y), -pi, True)
STRETCHES["tan"] = _periodic(lambda y, k: k * pi + jnp.arctan(y), -pi / 2, False)
