"""What a sampler cannot be faster than: value and gradient of the log density, in a loop."""

from __future__ import annotations

from typing import Any

from benchmarks.measuring import clock
from benchmarks.posteriors import POSTERIORS, flat_density

SECONDS = 0.5  # about as long as a measurement takes


def floor(name: str) -> Any:
    """A call measures microseconds of a gradient in a loop, for one chain and for four at once."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    from storax.samplers.driving.natively import without_scatters

    log_density, density = flat_density(POSTERIORS[name]())
    plain = jax.value_and_grad(log_density)
    start = density.random_vector(jax.random.key(0))

    def loop(f: Any, trips: Any, x: Any) -> Any:
        def body(_: Any, carry: Any) -> Any:
            x, total = carry
            value, gradient = f(x)  # the value is used, and no position is that of the trip before
            return x - 1e-6 * jnp.clip(gradient, -1, 1), total + value

        return lax.fori_loop(0, trips, body, (x, jnp.zeros(x.shape[:-1])))

    ways = {"one": (plain, start), "native": (without_scatters(plain), start),
            "four": (jax.vmap(plain), jnp.stack([start] * 4))}  # fmt: skip
    compiled = {way: jax.jit(lambda trips, x, f=f: loop(f, trips, x)) for way, (f, _) in ways.items()}
    trips = dict.fromkeys(ways, 0)

    def call() -> dict[str, float]:
        found = {}
        for way, (_, x) in ways.items():
            if not trips[way]:
                jax.block_until_ready(compiled[way](100, x))
                with clock() as taken:
                    jax.block_until_ready(compiled[way](100, x))
                trips[way] = int(min(max(100, SECONDS / taken.wall * 100), 10_000_000))
            with clock() as taken:
                jax.block_until_ready(compiled[way](trips[way], x))
            found[way] = 1e6 * taken.cpu / trips[way] / (4 if way == "four" else 1)
        return {"one": min(found["one"], found["native"]), "four": found["four"]}

    return call
