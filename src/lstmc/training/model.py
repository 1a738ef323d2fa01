"""Sequential: the model that users see."""

from lstmc.training.saving import save
from lstmc.training.trainer import Trainer


class Sequential(Trainer):
    """Layers in a row, with Keras' methods.

    Parameters
    ----------
    layers : list of lstmc.layers.Layer, optional
        With `Input(shape)` first, weights exist from `build()` on; without it, from the first call with data on.
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from lstmc.layers import LSTM, Dense, Input
    >>> from lstmc.training import Sequential, set_random_seed
    >>> set_random_seed(0)
    >>> model = Sequential([Input((None, 3)), LSTM(8), Dense(2, activation="softmax")])
    >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    >>> x, y = np.zeros((10, 5, 3)), np.zeros(10)
    >>> history = model.fit(x, y, epochs=2, verbose=0)
    >>> model.predict(x, verbose=0).shape
    (10, 2)

    Notes
    -----
    The same seed and the same data give the same weights bit for bit, on any number of threads.
    """

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
        save(self, path)

    def __repr__(self):
        return f"Sequential([{', '.join(layer.name for layer in self.layers)}])"
