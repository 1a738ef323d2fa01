"""JAX: W x for all steps at once, then lax.scan over U h; jitted; gradients by jax.vjp. Compiled per case, which takes seconds."""

import os

from lstmc.bench.contenders import Contender


class Jax(Contender):
    """Compiled functions of weights and x on one case."""

    @staticmethod
    def use(threads):
        """The thread pool of XLA has as many threads as the process may use CPUs when it is made, and no other setting."""
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        jax.config.update("jax_enable_x64", True)
        before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        if before is None:
            jax.devices()
            return f"{jax.__version__}, threads as it chooses"
        os.sched_setaffinity(0, sorted(before)[:threads])
        try:
            jax.devices()
        finally:
            os.sched_setaffinity(0, before)
        return f"{jax.__version__}, pool of {min(threads, len(before))} CPUs"

    def __init__(self, case):
        import jax
        import jax.numpy as jnp

        super().__init__(case)
        self.wait = jax.block_until_ready
        self.weights = {name: jnp.asarray(w) for name, w in self.weights.items()}
        self.x, self.dy = jnp.asarray(self.x), jnp.asarray(self.dy)

        def direction(weights, suffix, x, h, c, reverse):
            u = weights[f"weight_hh_{suffix}"].T

            def step(state, z):
                h, c = state
                i, f, g, o = jnp.split(z + h @ u, 4, axis=1)
                c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
                h = jax.nn.sigmoid(o) * jnp.tanh(c)
                return (h, c), h

            z = x @ weights[f"weight_ih_{suffix}"].T + (weights[f"bias_ih_{suffix}"] + weights[f"bias_hh_{suffix}"])
            state, y = jax.lax.scan(step, (h, c), z, reverse=reverse)
            return y, state

        def network(weights, x):
            zero = jnp.zeros((case.B, case.H), case.dtype)
            for layer in range(case.L):
                ways = ("", "_reverse")[: case.D]
                x = jnp.concatenate([direction(weights, f"l{layer}{way}", x, zero, zero, bool(way))[0] for way in ways], axis=2)
            return x

        def gradients(weights, x, dy):
            y, back = jax.vjp(network, weights, x)
            return y, *back(dy)

        self.network, self.gradients = jax.jit(network), jax.jit(gradients)
        self.one_step = jax.jit(lambda weights, x, h, c: direction(weights, "l0", x, h, c, False))
        self.zero = jnp.zeros((case.B, case.H), case.dtype)
        self.reset()

    def forward(self):
        return {"y": self.wait(self.network(self.weights, self.x))}

    def train(self):
        y, dweights, dx = self.wait(self.gradients(self.weights, self.x, self.dy))
        return {"y": y, "dx": dx, **{f"d{name}": d for name, d in dweights.items()}}

    def step(self):
        y, self.state = self.wait(self.one_step(self.weights, self.x, *self.state))
        return {"y": y}

    def reset(self):
        self.state = (self.zero, self.zero)
