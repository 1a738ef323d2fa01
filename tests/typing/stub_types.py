"""What a default does not say of types in stubs: tables by Class.method.argument, method.argument or argument, behind a module's name where it is needed."""

import lstmc

ARRAY = "NDArray[Any]"
INITIALIZER = "str | lstmc.initializers.Initializer | dict[str, Any]"
FLOAT = "float | None"
INT = "int | None"
ARGUMENTS = {
    # models
    "optimizer": "str | lstmc.optimizers.Optimizer", "callbacks": "Sequence[lstmc.callbacks.Callback] | lstmc.callbacks.Callback | None",
    "batch_size": INT, "steps_per_epoch": INT, "validation_steps": INT, "validation_batch_size": INT, "steps": INT, "initial_epoch": "int",
    "validation_freq": "int | Sequence[int]", "class_weight": "Mapping[int, float] | None", "validation_split": FLOAT, "verbose": "int | str",
    "path": "str | os.PathLike[str]", "weights": "Sequence[Any]", "index": INT, "print_fn": "Callable[[str], Any] | None", "layer": "lstmc.layers.Layer",
    "add.layer": "Any", "Sequential.__init__.layers": "Sequence[Any] | None", "config": "dict[str, Any]",
    # layers
    "units": "int", "name": "str | None", "dtype": "DTypeLike | None", "seed": INT, "input_shape": "Sequence[int | None] | None", "build.input_shape": "Any",
    "batch_shape": "Sequence[int | None] | None", "batch_input_shape": "Sequence[int | None] | None", "shape": "Sequence[int | None] | None",
    "activation": "Any", "recurrent_activation": "Any", "rate": "float",
    "input_dim": "int", "output_dim": "int", "input_length": INT, "n": "int", "target_shape": "Sequence[int]", "merge_mode": "str | None",
    "mask_value": "float", "training": "bool", "initial_state": "Any", "need_dx": "bool", "Layer.check_shape.shape": "Any", "check_shape.shape": "Any",
    # modules
    "input_size": "int", "hidden_size": "int", "nn.dtype": "DTypeLike", "clip": FLOAT, "activations": "Sequence[Any]", "gates_off": "Iterable[str]",
    "zoneout": "float | tuple[float, float]", "layer_norm": "str | None", "peephole": "bool | str", "checkpoint_every": INT, "threads": INT,
    "set_num_threads.n": INT, "threads.__init__.n": INT, "module": "Any",
    # other frameworks
    "prefix": "str | None", "from_torch.batch_first": "bool | None", "from_torch.dropout": FLOAT, "from_torch.nonlinearity": "str | None",
    "transposed": "bool | None",
    # optimizers and callbacks
    "learning_rate": "Any", "weight_decay": FLOAT, "clipnorm": FLOAT, "global_clipnorm": FLOAT, "clipvalue": FLOAT, "baseline": FLOAT, "min_delta": "float",
    "min_lr": "float", "factor": "float", "monitor": "str", "filepath": "str | os.PathLike[str]", "filename": "str | os.PathLike[str]",
    "backup_dir": "str | os.PathLike[str]", "epoch": "int", "batch": "int", "logs": "dict[str, Any] | None",
    # sklearn
    **dict.fromkeys(("sklearn.class_weight", "sklearn.batch_size", "sklearn.verbose", "sklearn.random_state", "sklearn.loss"), "Any"),
    # torch
    "torch.dtype": "Any", "torch.hx": "Any",
    # utils
    "maxlen": INT, "value": "Any", "num_classes": INT, "sequence_length": "int", "start_index": INT, "end_index": INT,
}
RETURNS = {
    "fit": "lstmc.callbacks.History", "get_weights": f"list[{ARRAY}]", "count_params": "int", "get_layer": "lstmc.layers.Layer", "pop": "lstmc.layers.Layer",
    "get_config": "dict[str, Any]", "load": "lstmc.training.Model", "load_model": "lstmc.training.Model", "build_info": "dict[str, Any]",
    "get_num_threads": "int", "state_dict": f"dict[str, {ARRAY}]", "parameters": f"Iterator[{ARRAY}]", "explain": "str", "session": "Session",
    "load_japanese_vowels": "JapaneseVowels", "pad_sequences": ARRAY, "to_categorical": ARRAY, "set_weights": "None", "Session.step": ARRAY,
    "Session.run": ARRAY, "fork": "Session", "Loss.__call__": "float", "nn.backward": "Gradients", "Metric.result": "float", "History.plot": "Any",
    "sklearn.fit": "Self", "losses.get": "Loss", "metrics.get": "Metric", "optimizers.get": "Optimizer", "initializers.get": "Initializer",
    "torch.accelerate": "Swaps", "torch.restore": "Swaps",
    "activations.get": "Callable[..., Any]", "Initializer.__call__": ARRAY, "Initializer.values": ARRAY, "Regularizer.__call__": "float",
    "Regularizer.penalty": "float", "Regularizer.gradient": ARRAY, "regularizers.get": "Regularizer | None", "Optimizer.from_config": "Optimizer",
    "LearningRateSchedule.from_config": "LearningRateSchedule", "LearningRateSchedule.__call__": "float", "Metric.update_state": "None",
    "values": ARRAY, "Loss.gradient": ARRAY, "Loss.targets": ARRAY, "CTC.gradient": ARRAY, "weight_names": "list[str]",
    "plain_config": "dict[str, Any]", "weight_shapes": "dict[str, tuple[int, ...]]", "from_gates": "Self",
    "step_many": f"list[{ARRAY}]", "named_parameters": f"Iterator[tuple[str, {ARRAY}]]", "Model.from_config": "Model", "Sequential.from_config": "Sequential",
    "Callback.get_state": "dict[str, Any]", "CallbackList.calls": "bool", "MonitorCallback.better": "bool", "MonitorCallback.value": "float | None",
    "ModelCheckpoint.path": "Path", "timeseries_dataset_from_array": "Iterable[Any]", "sklearn.partial_fit": "Self",
    **dict.fromkeys(("sklearn.predict", "predict_proba", "predict_log_proba"), ARRAY),
    **{f"{module.__name__[6:]}.{name}": ARRAY for module in (lstmc.activations, lstmc.losses, lstmc.metrics) for name in module.__all__
       if name[0].islower() and name != "get"},
}
ATTRIBUTES = {
    "built": "bool", "name": "str", "dtype": "np.dtype[Any]", "trainable": "bool", "history": "lstmc.callbacks.History | None", "stop_training": "bool",
    "History.history": "dict[str, list[Any]]", "History.epoch": "list[int]", "optimizer": "Any", "loss": "Any", "layers": "list[lstmc.layers.Layer]",
    "weights": f"list[{ARRAY}]", "trainable_weights": f"list[{ARRAY}]", "non_trainable_weights": f"list[{ARRAY}]", "metrics_names": "list[str]",
    "input_names": "list[str]", "output_names": "list[str]", "step": "int", "iterations": "int", "learning_rate": "Any", "num_directions": "int",
    "output_size": "int", "variables": "list[Any]", "sklearn.dtype": "Any", "Callback.model": "Any", "Callback.params": "dict[str, Any] | None",
    "Loss.dtype": "str | None",
}
PLAIN = ("int", "bool", "float", "str")
DUNDERS = ("__init__", "__call__", "__enter__", "__exit__", "__len__", "__iter__", "__getitem__")
CYTHON = {"Py_ssize_t": "int", "uint64_t": "int", "uint32_t": "int", "int": "int", "long": "int", "double": "float", "float": "float", "bool": "bool",
          "bint": "bool", "str": "str", "list": "list[Any]", "tuple": "tuple[Any, ...]", "dict": "dict[str, Any] | None"}
# Long types that a stub says often have a name in it.
ALIASES = {"_Initializer": INITIALIZER, "_Shape": "Sequence[int | None] | None", "_Path": "str | os.PathLike[str]",
           "_Callbacks": ARGUMENTS["callbacks"], "_Name": "str | None", "_Seed": INT, "_Type": "DTypeLike | None"}
# How layers around a module of `lstmc.nn`, losses and optimizers work inside: nobody's interface.
INSIDE = ("shown", "shown_bwd", "live", "by_keras", "gradient_arrays", "together", "inward", "outward", "check_states", "settings", "module_settings",
          "each_way", "own", "ways", "two_biases", "parts", "inner", "fuses", "uses_mask", "slots", "unlike", "merge", "merge_bwd", "merged", "pairs", "larger",
          "places", "unrolled", "scaled", "scaled_bwd", "rows", "pool", "drawn", "summed", "counted", "along", "alpha_shape", "move", "fill")
