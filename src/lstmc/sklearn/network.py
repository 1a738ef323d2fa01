"""From an estimator's parameters to a compiled `Sequential`, all of whose random numbers come from `random_state`."""

from sklearn.utils import check_random_state

from lstmc.layers import Bidirectional, Dense, Dropout, Input, Masking
from lstmc.nn import checks
from lstmc.optimizers import SGD, Adam, RMSprop
from lstmc.sklearn.sequences import PADDING
from lstmc.training import Sequential

# What decides about the model and its optimizer, and therefore has to stay where training goes on.
FIXED = ("units", "num_layers", "bidirectional", "dropout", "recurrent_dropout", "dtype", "loss", "solver", "momentum", "nesterovs_momentum",
         "weight_decay", "global_clipnorm")
SOLVERS = ("adam", "rmsprop", "sgd")


def settings_of(estimator):
    """Those of FIXED that the estimator has, by name."""
    return {name: getattr(estimator, name) for name in FIXED if hasattr(estimator, name)}


def check_settings(estimator, before):
    """Raise ValueError if one of FIXED is not what it was."""
    for name, value in settings_of(estimator).items():
        if value != before[name]:
            raise ValueError(f"{name}: expected {before[name]!r}, as in the training that goes on here, received {value!r}; "
                             "a clone of the estimator begins anew")


def network(estimator, layer, features, outputs, activation, loss):
    """(model, seed of the split into training and validation data): a stack of recurrent layers of class `layer`, each with dropout after it."""
    random = check_random_state(estimator.random_state)

    def seed():
        return int(random.randint(2**32 - 1, dtype="int64"))

    for_order, for_split = seed(), seed()
    dtype, n = checks.float_dtype(estimator.dtype), checks.integer(estimator.num_layers, "num_layers", 1)
    dropout, both = checks.probability(estimator.dropout, "dropout"), checks.flag(estimator.bidirectional, "bidirectional")
    model = Sequential([Input((None, features), dtype=dtype), Masking(PADDING, dtype=dtype)])
    for i in range(n):
        one = layer(estimator.units, recurrent_dropout=estimator.recurrent_dropout, return_sequences=i < n - 1, dtype=dtype, seed=seed())
        model.add(Bidirectional(one) if both else one)
        model.add(Dropout(dropout, dtype=dtype, seed=seed()))
    model.add(Dense(outputs, activation, dtype=dtype, seed=seed()))
    model.build()
    model.compile(optimizer(estimator), loss)
    model.shuffle_seed = for_order
    return model, for_split


def optimizer(estimator):
    """A new one of `lstmc.optimizers`."""
    settings = {"learning_rate": checks.positive(estimator.learning_rate_init, "learning_rate_init"),
                "weight_decay": checks.at_least_0(estimator.weight_decay, "weight_decay"), "global_clipnorm": estimator.global_clipnorm}
    if estimator.solver not in SOLVERS:
        raise ValueError(f"solver: expected one of {', '.join(map(repr, SOLVERS))}, received {estimator.solver!r}")
    if estimator.solver == "sgd":
        return SGD(momentum=estimator.momentum, nesterov=estimator.nesterovs_momentum, **settings)
    return {"adam": Adam, "rmsprop": RMSprop}[estimator.solver](**settings)
