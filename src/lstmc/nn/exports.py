"""A recurrent module as an object or a file of others. What these are is the matter of `lstmc.interchange`, which knows this package and is not known here."""


class Exports:
    """What every recurrent module has."""

    def to_onnx(self, path, *, opset=22):
        """Write the module as an ONNX file, for onnxruntime and others; needs `pip install "lstmc[onnx]"`.

        Inputs are `x`, laid out as this module's, and three that a caller may leave out, since they have defaults: `h_0` and `c_0` (L*D, B, H), zeros,
        whose B may also be 1, and `lengths` (B,) int32, all steps. Outputs are `y`, `h_n` and `c_n`. Batch and time are free.

        Parameters
        ----------
        path : path-like
            Ends in .onnx; written whole or not at all.
        opset : int
            14 to 22.

        Raises
        ------
        ValueError
            ONNX's node has not what the module has: a projection, layer normalisation, zoneout, a peephole of the candidate.

        Notes
        -----
        ONNX keeps `clip` and the alpha and beta of activations in float32. onnxruntime computes recurrent nodes in float32 alone.
        """
        from lstmc.interchange.onnx_export.modules import module_to_onnx
        module_to_onnx(self, path, opset)

    def to_torch(self):
        """The same module in torch.

        Returns
        -------
        torch.nn.LSTM, GRU or RNN
            With copies of the weights, in eval mode.

        Raises
        ------
        ValueError
            A setting, which the message names, is one that torch has not.
        ImportError
            torch is missing.
        """
        from lstmc.interchange import to_torch

        return to_torch.module(self)

    def to_keras(self):
        """A layer of Keras 3 with the same weights, which takes (batch, time, features) and returns its sequence and its states; needs `keras`.

        Returns
        -------
        keras.layers.LSTM, GRU, SimpleRNN or Bidirectional
            With copies of the weights.

        Raises
        ------
        ValueError
            No layer of Keras is like this module: it has several layers, or a variant that is named.
        """
        from lstmc.interchange import to_keras
        return to_keras.module(self)
