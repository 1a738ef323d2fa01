"""What `compile` was given, by output: a loss, its weight and metrics for each; and what a step asks of them."""

from lstmc.training import data as arrays

COMPILE_UNSUPPORTED = {
    "run_eagerly": (False, "kernels are compiled once for all"),
    "steps_per_execution": (1, "every batch is one step"),
    "jit_compile": ("auto", "kernels are compiled once for all"),
    "auto_scale_loss": (True, "gradients need no scaling"),
}


class Bound:
    """For each output its loss or None, the weight of the loss, and the metrics without and with sample weights."""

    __slots__ = ("loss_weights", "losses", "metrics", "weighted")

    def __init__(self, losses, loss_weights, metrics, weighted):
        self.losses, self.loss_weights, self.metrics, self.weighted = losses, loss_weights, metrics, weighted


def bind(settings, loss, names):
    """`Bound`, from what compile was given."""
    def each(value, what):
        if len(names) == 1 and isinstance(value, (list, tuple)):
            if what in ("loss", "loss_weights"):
                if len(value) != 1:
                    raise ValueError(f"{what}: expected one, for the output {names[0]!r}, received a list of {len(value)}")
                value = value[0]
            elif len(value) == 1 and isinstance(value[0], (list, tuple)):
                value = value[0]
        return arrays.by_output(value, names, what)

    lists = [[[] if one is None else list(one) if isinstance(one, (list, tuple)) else [one] for one in each(settings[key], key)]
             for key in ("metrics", "weighted_metrics")]
    return Bound(each(loss, "loss"), [1.0 if w is None else w for w in each(settings["loss_weights"], "loss_weights")], *lists)


def mapped(function, value):
    """function of every leaf of lists and dicts, None left alone."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {k: mapped(function, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [mapped(function, v) for v in value]
    return function(value)


def final_activation(layer):
    """Name of the activation that makes a layer's output, or None."""
    return getattr(getattr(layer, "activation", None), "name", None)


def mask_of(loss, mask):
    return {"mask": mask} if loss.uses_mask else {}


def both(mask, weights):
    """What multiplies values under a mask, with weights (B,) or (B, T)."""
    if mask is None or weights is None:
        return mask if weights is None else weights
    return mask * (weights if weights.ndim >= mask.ndim else weights.reshape(weights.shape + (1,) * (mask.ndim - weights.ndim)))
