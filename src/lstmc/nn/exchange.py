"""A recurrent module made of the weights of others, and as an object or a file of others. What these are is the matter of `lstmc.interchange`, which
knows this package and is not known here.
"""

from lstmc.nn.gates import from_gates


class Exchanged:
    """What every recurrent module has."""

    @classmethod
    def from_gates(cls, W, R, b=None, *, order="pytorch", transposed=None, projection=None, **settings):
        """A module with the weights of any source, by the order in which their gates are stacked.

        Parameters
        ----------
        W : ndarray, or list
            (G*H, I): what multiplies x. A list has such an array for every layer, or a list of two for every layer, forward and reverse:
            [[W]] is W; the sizes of the module follow from the arrays. float32 or float64, which is then the dtype.
        R : ndarray, or list
            (G*H, H), or (G*H, P) with a projection: what multiplies h. Lists as of W.
        b : ndarray, or list, optional
            (G*H,) if there is one bias, which is added to W x; (2, G*H) or (2*G*H,) if there is one of W x and one of R h, in this order.
        order : str
            A letter for every gate: i, f, g (or c), o of an LSTM, as "ifgo"; r, z, n (or h) of a GRU, as "zrn"; h of an RNN. Or a framework's name:
            "pytorch", "keras", "onnx".
        transposed : bool, optional
            Whether W is (I, G*H), R (H, G*H) and projection (H, P), as in Keras. None: as the framework that order names has them, else False.
        projection : ndarray, or list, optional
            (P, H) of an LSTM: h is its product with o tanh(c).
        **settings
            Other arguments of the constructor. Peepholes and gains of layer normalisation begin as in a new module; `load_state_dict` with
            strict=False sets them.

        Returns
        -------
        LSTM, GRU or RNN

        Raises
        ------
        ValueError, TypeError
            An array has a shape or a dtype that does not fit; the message names its layer and direction.
        """
        return from_gates(cls, W, R, b, order, transposed, projection, settings)

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
