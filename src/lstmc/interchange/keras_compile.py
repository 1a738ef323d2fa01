"""How a model of Keras was compiled, for `compile` of this package's: optimizer, loss and metrics, by name and settings."""


from lstmc import losses, metrics, optimizers
from lstmc.interchange.keras_configs import plain
from lstmc.optimizers import schedules
from lstmc.warned import warn

# Of optimizers: left out unless they ask for something, and then not supported.
OPTIMIZER_DEFAULTS = {"use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None, "jit_compile": None, "is_legacy_optimizer": None,
                      "loss_scale_factor": None, "gradient_accumulation_steps": None, "decay": 0.0}


def apply(model, config):
    """Compile a model as a config of Keras says; if something of it is not supported, leave it and warn."""
    if not config:
        return
    try:
        made = config.get("optimizer_config") or config["optimizer"]
        settings = {key: things(config.get(key)) for key in ("metrics", "weighted_metrics")}
        n, of = len(model.output_names), mapped(loss, config.get("loss"))
        of = of if n == 1 or of is None or isinstance(of, (list, dict)) else [of] * n       # one for every output
        model.compile(optimizer(made), of, loss_weights=plain(config.get("loss_weights")),
                      **{key: by_output(value, n) for key, value in settings.items()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        warn(f"the model is not compiled, since its settings are not all supported: {error}")


def by_output(value, n):
    """Metrics of the only output without the list around them that Keras 2 writes."""
    return value[0] if n == 1 and isinstance(value, list) and len(value) == 1 and isinstance(value[0], list) else value


def optimizer(entry):
    """The optimizer of an entry."""
    if isinstance(entry, str):
        return optimizers.get(entry)
    kind = entry["class_name"].rpartition(">")[2]
    if kind not in optimizers.CLASSES:
        raise ValueError(f"optimizer: expected one of {', '.join(optimizers.CLASSES)}, received {kind}")
    found = {}
    for key, value in entry["config"].items():
        value = plain(value)
        if key in OPTIMIZER_DEFAULTS:
            if key in ("use_ema", "decay", "gradient_accumulation_steps", "loss_scale_factor") and value and value != OPTIMIZER_DEFAULTS[key]:
                raise ValueError(f"optimizer: {key}={value!r} is not supported")
        elif key in ("lr", "learning_rate"):
            found["learning_rate"] = schedule(value) if isinstance(value, dict) else value
        elif key != "name":
            found[key] = value
    if kind == "RMSprop" and not found.get("momentum") and "decay" in entry["config"]:
        e = found.get("epsilon") or 1e-7
        found["epsilon"] = e * e        # g / (sqrt(v) + e) before Keras 2.11, nearly that with e^2 where it is now; only steps by tiny g differ
    return optimizers.CLASSES[kind](**found)


def schedule(entry):
    """The schedule of a learning rate."""
    if entry.get("class_name") not in schedules.CLASSES:
        raise ValueError(f"learning_rate: expected one of {', '.join(schedules.CLASSES)}, received {entry.get('class_name')}")
    cls = schedules.CLASSES[entry["class_name"]]
    return cls(**{key: plain(value) for key, value in entry["config"].items() if key != "name" or (value is not None and "name" in cls.fields)})


def mapped(function, value):
    """function of every entry of lists and of dicts of them by output."""
    if isinstance(value, list):
        return [mapped(function, v) for v in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: mapped(function, v) for key, v in value.items()}
    return None if value is None else function(value)


def things(value):
    """Metrics: a list of entries, or of such lists by output."""
    value = plain(value)
    return None if value is None else mapped(metric, value)


def loss(entry):
    """The loss of an entry: a name, a function of Keras or a class."""
    return losses.get(entry) if isinstance(entry, str) else of_class(entry, losses.CLASSES, losses.get)


def metric(entry):
    """The metric of an entry; names stay what they are, since some depend on the data."""
    return entry if isinstance(entry, str) else of_class(entry, metrics.CLASSES, metrics.get)


def of_class(entry, classes, get):
    """The loss or metric of a class and its config, or of a function by its name."""
    kind, config = entry["class_name"], entry["config"]
    if kind == "function" and isinstance(config, str):
        return get(config)
    if kind in ("MeanMetricWrapper", "LossFunctionWrapper") and isinstance(config.get("fn"), str):
        return get(config["fn"])
    if kind not in classes:
        raise ValueError(f"expected one of {', '.join(classes)}, received {kind}")
    return classes[kind](**{key: plain(value) for key, value in config.items() if key not in ("dtype", "fn") and not (key == "reduction" and value == "auto")})
