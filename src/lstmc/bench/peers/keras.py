"""Keras on the TensorFlow backend: `keras.layers.LSTM` inside a tf.function, gradients by GradientTape.

Keras has batch-major arrays, one bias where PyTorch has two, and transposed weights; what has no counterpart is not compared.
"""

import os

import numpy as np

from lstmc.bench.contenders import Contender, Unsupported


class Keras(Contender):
    """Layers and a traced function on one case."""

    @staticmethod
    def use(threads):
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        import tensorflow as tf

        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            pool = f"{threads} threads"
        except RuntimeError:
            pool = "threads as chosen when TensorFlow was first used"
        import keras

        if keras.backend.backend() != "tensorflow":
            raise ImportError(f"its backend is {keras.backend.backend()}, KERAS_BACKEND must be tensorflow")
        return f"{keras.__version__}, TensorFlow {tf.__version__}, {pool}"

    def __init__(self, case):
        import keras
        import tensorflow as tf

        super().__init__(case)
        if case.D == 2 or case.L > 1:
            raise Unsupported("one layer and direction only, here")
        self.layer = keras.layers.LSTM(case.H, return_sequences=True, return_state=True, dtype=case.dtype)
        x, dy = (tf.constant(a.swapaxes(0, 1)) for a in (self.x, self.dy))
        self.layer.build(x.shape)
        w = self.weights
        self.layer.set_weights([w["weight_ih_l0"].T, w["weight_hh_l0"].T, w["bias_ih_l0"] + w["bias_hh_l0"]])
        self.withheld = {"dbias_hh_l0"}
        self.zero = [tf.zeros((case.B, case.H), case.dtype)] * 2
        self.reset()

        @tf.function
        def forward():
            return self.layer(x)[0]

        @tf.function
        def train():
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = self.layer(x)[0]
            return y, tape.gradient(y, [x, *self.layer.trainable_weights], output_gradients=dy)

        @tf.function
        def step(h, c):
            return self.layer(x, initial_state=[h, c])

        self.functions = forward, train, step

    def forward(self):
        return {"y": self.functions[0]().numpy().swapaxes(0, 1)}

    def train(self):
        y, (dx, dw, du, db) = self.functions[1]()
        return {"y": y.numpy().swapaxes(0, 1), "dx": dx.numpy().swapaxes(0, 1), "dweight_ih_l0": np.transpose(dw.numpy()),
                "dweight_hh_l0": np.transpose(du.numpy()), "dbias_ih_l0": db.numpy()}

    def step(self):
        y, *self.state = self.functions[2](*self.state)
        return {"y": y.numpy().swapaxes(0, 1)}

    def reset(self):
        self.state = self.zero
