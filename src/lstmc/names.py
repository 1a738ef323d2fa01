"""What a namespace shows, and what it says about the names that Keras or PyTorch has there and this package has not.

One table for all namespaces: (namespace, names, what to use instead).
"""

import importlib

MISSING = (
    ("", "keras backend ops tree random distribution device name_scope Variable KerasTensor Function Operation", "arrays are NumPy's: use numpy"),
    ("", "applications preprocessing", "this package has recurrent networks; lstmc.utils.pad_sequences pads sequences"),
    ("", "mixed_precision dtype_policies DTypePolicy quantizers", 'pass dtype="float32" or dtype="float64" to layers'),
    ("", "LSTM GRU RNN", "lstmc.nn has PyTorch's layers, lstmc.layers Keras's"),
    ("", "tensor Tensor from_numpy no_grad", "arrays are NumPy's: use numpy"),
    ("", "optim", "use lstmc.optimizers, or torch's with lstmc.torch"),
    ("nn", "LSTMCell GRUCell RNNCell", "a session of LSTM, GRU or RNN goes step by step"),
    ("nn", "Module ModuleList Sequential Linear Embedding Dropout Parameter functional init utils CrossEntropyLoss MSELoss",
     "lstmc.layers and lstmc.Sequential make models; lstmc.torch has LSTM, GRU and RNN for PyTorch's"),
    ("nn.Module", "train eval", "a call is inference, and `forward` training"),
    ("nn.Module", "to cpu cuda", "modules compute on the CPU"),
    ("nn.Module", "double float half bfloat16", 'dtype="float64" of the constructor, or "float32"'),
    ("nn.Module", "zero_grad requires_grad_", "`backward` returns the gradients, and keeps none"),
    ("nn.Module", "flatten_parameters", "weights are packed where that pays"),
    ("", "constraints", "a callback can change weights with set_weights"),
    ("", "Layer", "use lstmc.layers.Layer"),
    ("", "Loss", "use lstmc.losses.Loss"),
    ("", "Metric", "use lstmc.metrics.Metric"),
    ("", "Optimizer", "use lstmc.optimizers.Optimizer"),
    ("", "Initializer", "use lstmc.initializers.Initializer"),
    ("", "Regularizer", "use lstmc.regularizers.Regularizer"),
    ("models", "clone_model", "copy.deepcopy copies a model; Model.from_config(model.get_config()) makes one with new weights"),
    ("models", "model_from_json save_model", "use model.save(path) and lstmc.models.load_model(path)"),
    ("layers", "RNN GRUCell LSTMCell SimpleRNNCell StackedRNNCells",
     "use LSTM, GRU or SimpleRNN; lstmc.nn has their variants, and sessions that go step by step"),
    ("layers", "ConvLSTM1D ConvLSTM2D ConvLSTM3D Conv2D Conv3D MaxPooling2D AveragePooling2D",
     "compute the features before the model, or use Conv1D, MaxPooling1D and AveragePooling1D, which go along time"),
    ("layers", "Conv1DTranspose SeparableConv1D DepthwiseConv1D", "use Conv1D, with UpSampling1D before it for more steps"),
    ("layers", "Normalization", "standardise the data before fit"),
    ("layers", "RMSNormalization GroupNormalization SpectralNormalization", "use LayerNormalization or BatchNormalization"),
    ("layers", "Lambda", "change the array before the model; Reshape and Flatten change shapes inside"),
    ("layers", "TextVectorization StringLookup IntegerLookup Hashing", "make integers of the texts before the model; lstmc.utils.pad_sequences pads them"),
    ("layers", "Attention MultiHeadAttention AdditiveAttention", "GlobalAveragePooling1D or the last state sum up a sequence"),
    ("layers", "SpatialDropout2D", "use Dropout or SpatialDropout1D"),
    ("layers", "GlobalMaxPooling2D GlobalAveragePooling2D", "use GlobalMaxPooling1D or GlobalAveragePooling1D"),
    ("layers", "EinsumDense", "use Dense, which acts on the last axis"),
    ("layers", "serialize deserialize", "use layer.get_config() and lstmc.layers.from_config(kind, config)"),
    ("activations", "glu", "Multiply()([a, Activation('sigmoid')(b)]) is that of two layers' outputs"),
    ("activations", "threshold", "use relu(x, threshold=...), or hard_shrink"),
    ("activations", "sparsemax", "use softmax"),
    ("regularizers", "serialize deserialize", "use regularizer.get_config(), and regularizers.get of {'class': ..., 'config': ...}"),
    ("activations", "serialize deserialize", "a function's name is all there is to it"),
    ("utils", "Sequence PyDataset", "fit takes any object that gives batches (x, y) whenever it is iterated, with len() if it knows it"),
    ("utils", "text_dataset_from_directory image_dataset_from_directory audio_dataset_from_directory get_file", "read the files into arrays"),
    ("utils", "plot_model model_to_dot", "use model.summary()"),
    ("utils", "normalize", "use x / numpy.linalg.norm(x, axis=-1, keepdims=True)"),
    ("utils", "split_dataset", "fit has validation_split"),
    ("utils", "Progbar", "fit has verbose"),
    ("utils", "clear_session", "nothing is kept between models; set_random_seed repeats one"),
    ("losses", "Dice dice Tversky tversky Circle circle CategoricalGeneralizedCrossEntropy categorical_generalized_cross_entropy",
     "subclass lstmc.losses.Loss: `values` and `gradient`"),
    ("losses", "logcosh", "use log_cosh"),
    ("losses", "kullback_leibler_divergence", "use kl_divergence"),
    ("losses", "serialize deserialize", "use type(loss).__name__ and loss.get_config()"),
    ("metrics", "IoU MeanIoU BinaryIoU OneHotIoU OneHotMeanIoU", "this package has no images: use scikit-learn's jaccard_score on what predict returns"),
    ("metrics", "SensitivityAtSpecificity SpecificityAtSensitivity PrecisionAtRecall RecallAtPrecision",
     "use AUC, or Precision and Recall with several thresholds; scikit-learn's precision_recall_curve and roc_curve on what predict returns"),
    ("metrics", "PearsonCorrelation pearson_correlation ConcordanceCorrelation concordance_correlation", "use R2Score, or numpy.corrcoef on predictions"),
    ("metrics", "logcosh", "use log_cosh"),
    ("metrics", "kullback_leibler_divergence", "use kl_divergence"),
    ("metrics", "serialize deserialize", "use type(metric).__name__ and metric.get_config()"),
    ("optimizers", "Adafactor Ftrl Lamb Muon MultiOptimizer OptimizerMap ScheduleFreeAdamW", "use Adam, AdamW, Nadam, RMSprop or SGD"),
    ("optimizers", "LossScaleOptimizer", "gradients are float32 or float64 and need no scaling"),
    ("optimizers", "legacy", "use lstmc.optimizers"),
    ("optimizers", "serialize deserialize", "use optimizer.get_config() and from_config of its class"),
    ("optimizers.schedules", "serialize deserialize", "use schedule.get_config() and from_config of its class"),
    ("callbacks", "TensorBoard RemoteMonitor ProgbarLogger", "write History.history, or the logs in LambdaCallback(on_epoch_end=...) or CSVLogger"),
    ("callbacks", "SwapEMAWeights OrbaxCheckpoint", "use ModelCheckpoint"),
)
_INSTEAD = {(where, name): instead for where, names, instead in MISSING for name in names.split()}


def missing(where):
    """name -> what to use instead, of the names that are not there and that people know."""
    return {name: instead for (place, name), instead in _INSTEAD.items() if place == where}


def absent(what, where, name):
    """The AttributeError for a name that is not there, with what to use instead if that is known."""
    instead = _INSTEAD.get((where, name))
    return AttributeError(f"{what} has no attribute {name!r}" + (f"; {instead}" if instead else ""))


def face(module, public, lazy=None):
    """(__getattr__, __dir__) of a module that shows the names in `public`; `lazy` says which module has a name that is imported at its first use."""
    where = module.partition(".")[2]

    def get(name):
        if lazy and name in lazy:
            found = importlib.import_module(lazy[name])
            return found if found.__name__ == f"{module}.{name}" else getattr(found, name)
        raise absent(f"module {module!r}", where, name)

    def names():
        return sorted(public)

    return get, names
