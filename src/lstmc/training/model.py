"""Model and Sequential: how their graphs come about. Training is `Trainer`'s."""

from lstmc.training import architecture, reading, saving
from lstmc.training.consistency import name_input, one_dtype, unique_names
from lstmc.training.graph import Graph
from lstmc.training.model_layer import ModelLayer
from lstmc.training.trainer import Trainer
from lstmc.turn import in_turn


class Model(Trainer):
    """Layers in a graph: the functional model, with Keras' methods.

    Parameters
    ----------
    inputs : SymbolicTensor, or list or dict of SymbolicTensor
        Of `Input`; or what a layer of another model gives, in whose place arrays come in. Keys of a dict are the names of the inputs, which are
        then in the order of the keys.
    outputs : SymbolicTensor, or list or dict of SymbolicTensor
        What layers gave for them. A layer may be called several times, and be part of several models, which share its weights. With a dict,
        `predict` returns one, and targets, losses and metrics go by its keys.
    name : str, optional

    Notes
    -----
    The same seed and the same data give the same weights bit for bit, on any number of threads. A model that is called on symbolic tensors
    gives what its layers give for them: it is drawn into the new graph, layer by layer.

    Examples
    --------
    An encoder, whose final states a decoder begins with:

    >>> import lstmc
    >>> from lstmc.layers import LSTM, Dense, Input
    >>> source, target = Input((None, 5)), Input((None, 4))
    >>> _, *states = LSTM(8, return_state=True)(source)
    >>> decoded = LSTM(8, return_sequences=True)(target, initial_state=states)
    >>> model = lstmc.Model([source, target], Dense(4, activation="softmax")(decoded))
    >>> model.compile("adam", "categorical_crossentropy")
    """

    def __init__(self, inputs=None, outputs=None, name=None):
        super().__init__("model" if name is None else name)
        if inputs is None or outputs is None:
            raise TypeError("Model: expected inputs and outputs, which Input and layers give; to define a model by a class of your own, compose "
                            "it of layers, or use lstmc.nn")
        keys = [by_key(t, name) for t, name in ((inputs, "inputs"), (outputs, "outputs"))]
        several = [[t[k] for k in some] if some else list(t) if isinstance(t, (list, tuple)) else [t]
                   for t, some in zip((inputs, outputs), keys, strict=True)]
        graph = Graph(*several)
        one_dtype(graph.layers)
        for key, t in zip(keys[0], graph.inputs, strict=False):
            name_input(t.call.layer, key)
        unique_names(graph.layers)
        self.graph, self.output_keys = graph, keys[1] or None

    @property
    def layers(self):
        """Each layer once, those of inputs first."""
        return list(self.graph.layers)

    def build(self, input_shape=None):
        """Nothing to do, whatever `input_shape`: layers were built when they were called."""

    @property
    def input_shape(self):
        """The shape of the input, or of each, with the batch axis."""
        shapes = [t.shape for t in self.graph.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self):
        """The shape of the output, or of each, with the batch axis."""
        shapes = [t.shape for t in self.graph.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    def as_layer(self):
        """The model as one layer, of the same weights, for `lstmc.layers.TimeDistributed`."""
        return ModelLayer.of(self)

    def get_config(self):
        """The architecture in JSON types, for `from_config`."""
        return {"name": self.name, **architecture.of_model(self)}

    @classmethod
    def from_config(cls, config):
        """A model of the architecture `config`, from `get_config`, with new weights."""
        return architecture.model(cls, config)

    def save(self, path):
        """Write the model to a .safetensors file: architecture, weights, and how training stands; see `lstmc.load`.

        Readers see the file that was there or the new one, never a part, whoever else saves to it. A link is followed.

        Parameters
        ----------
        path : path-like
            Ends in .safetensors.

        Raises
        ------
        ValueError
            It is not the name of a regular file, or the model has something that a file cannot hold and `lstmc.load` could not make
            again: layers, initializers, metrics or other parts that are not the package's own, or settings that were changed to wrong ones.
        OSError
            The file cannot be written.
        """
        saving.save(self, path)

    def to_onnx(self, path, *, opset=22):
        """Write the model as an ONNX file, for onnxruntime and others; needs `pip install "lstmc[onnx]"`.

        Inputs and outputs have the names of `input_names` and `output_names`; batch and time are free; whole numbers are int64. A caller may leave out
        inputs that have defaults: `lengths` (B,) int32 of sequences of free length (of input `a` among several `a_lengths`), all steps, and
        the first states of each recurrent layer, zeros, as `lstm_h_0` and `lstm_c_0` (directions, B, units) of a layer `lstm`. Their last states,
        `lstm_h_n` and so on, are outputs after the model's own.

        Parameters
        ----------
        path : path-like
            Ends in .onnx; written whole or not at all.
        opset : int
            14 to 22.

        Raises
        ------
        ValueError
            ONNX cannot express a layer, which is named, or the model's input has no known shape.

        Notes
        -----
        Masks are as in the model, with padding anywhere. What depends on training alone, as Dropout, leaves no trace.
        """
        from lstmc.interchange.onnx_export.networks import network_to_onnx
        network_to_onnx(self, path, opset)

    def save_weights(self, path):
        """Write the weights alone to a .safetensors file, whole or not at all, as `save` does.

        Parameters
        ----------
        path : path-like
            Ends in .safetensors.
        """
        saving.save_weights(self, path)

    @in_turn(writing=lambda model: model.layers)
    def load_weights(self, path):
        """Read the weights of a file that `save_weights` or `save` wrote; layers must have the same names and shapes.

        Raises
        ------
        lstmc.FormatError
            The file is damaged, of another kind, or of other weights. Nothing is changed then.
        """
        reading.load_weights(self, path)

    def to_keras(self):
        """A model of Keras 3 with the same layers and weights, a Sequential of a Sequential; needs `keras`. It is not compiled.

        Returns
        -------
        keras.Model or keras.Sequential
            With copies of the weights.

        Raises
        ------
        ValueError
            Keras has not what a layer has; both are named.
        """
        from lstmc.interchange import to_keras
        return to_keras.model(self)

    def to_torch(self):
        """The same model in torch.

        Returns
        -------
        torch.nn.Module
            With copies of the weights, in eval mode; what is not trainable here has no gradient there. It takes tensors as `predict` takes arrays: one
            for each input, in their order or by their names, or all in a list or dict; it returns a tensor, a list, or a dict. Masks go on from layer
            to layer, as here. `reset_states` lets stateful layers begin anew. Penalties of regularizers belong to training, and are not in it.

        Raises
        ------
        ValueError
            A layer, or a setting of one, which the message names, is one that torch has not.
        ImportError
            torch is missing.
        """
        from lstmc.interchange import to_torch_model
        return to_torch_model.model(self)

    def __repr__(self):
        return f"<Model {self.name}: {len(self.graph.layers)} layers, {self.count_params():,} parameters>"


def by_key(tensors, name):
    """The keys of a dict of tensors in their order, as Keras has it; none of what is no dict."""
    if not isinstance(tensors, dict):
        return []
    for key in tensors:
        if not isinstance(key, str):
            raise TypeError(f"{name}: expected a dict by names, received the key {key!r}")
    return sorted(tensors)
