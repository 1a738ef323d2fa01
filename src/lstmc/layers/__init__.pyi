# Made by tests/typing/make_stubs.py
from collections.abc import Sequence
from typing import Any, TypeAlias, TypedDict, Unpack
import numpy as np
from numpy.typing import DTypeLike, NDArray
import lstmc.initializers

_Type: TypeAlias = DTypeLike | None
_Seed: TypeAlias = int | None
_Name: TypeAlias = str | None
_Shape: TypeAlias = Sequence[int | None] | None
_Initializer: TypeAlias = str | lstmc.initializers.Initializer | dict[str, Any]
class _Arguments(TypedDict, total=False):
    trainable: bool
    input_shape: _Shape
    batch_shape: _Shape
    batch_input_shape: _Shape
    activity_regularizer: Any
    autocast: Any
    input_dim: int

class Activation(Layer):
    activation: Any
    def __init__(self, activation: Any, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...
    def backward(self, tape: Any, dy: Any, need_dx: bool = True, preactivation: bool = False) -> Any: ...

class ActivityRegularization(Layer):
    def __init__(self, l1: float = 0.0, l2: float = 0.0, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class Add(_Elementwise):
    ...

class AlphaDropout(Dropout):
    ...

class Average(Add):
    ...

class AveragePooling1D(_Pooling):
    ...

AvgPool1D = AveragePooling1D

class BatchNormalization(_Normalization):
    momentum: float
    moving_mean_initializer: Any
    moving_variance_initializer: Any
    def __init__(self, axis: int = -1, momentum: float = 0.99, epsilon: float = 0.001, center: bool = True, scale: bool = True, beta_initializer: _Initializer = 'zeros', gamma_initializer: _Initializer = 'ones', moving_mean_initializer: _Initializer = 'zeros', moving_variance_initializer: _Initializer = 'ones', beta_regularizer: Any = None, gamma_regularizer: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, beta_constraint: Any = ..., gamma_constraint: Any = ..., renorm: Any = ..., renorm_clipping: Any = ..., renorm_momentum: Any = ..., synchronized: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...

class Bidirectional(_AroundModule):
    layer: Any
    merge_mode: Any
    backward_layer: Any
    return_sequences: Any
    return_state: Any
    stateful: Any
    def __init__(self, layer: Layer, merge_mode: _Name = 'concat', backward_layer: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, weights: Sequence[Any] = ..., **arguments: Unpack[_Arguments]) -> None: ...
    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any: ...  # type: ignore[override]

class Concatenate(_Merging):
    axis: int
    def __init__(self, axis: int = -1, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class Conv1D(Layer):
    filters: Any
    kernel_size: Any
    dilation_rate: int
    activation: Any
    use_bias: bool
    kernel_initializer: Any
    bias_initializer: Any
    kernel_regularizer: Any
    bias_regularizer: Any
    def __init__(self, filters: Any, kernel_size: Any, strides: int = 1, padding: str = 'valid', data_format: Any = None, dilation_rate: int = 1, groups: int = 1, activation: Any = None, use_bias: bool = True, kernel_initializer: _Initializer = 'glorot_uniform', bias_initializer: _Initializer = 'zeros', kernel_regularizer: Any = None, bias_regularizer: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, kernel_constraint: Any = ..., bias_constraint: Any = ..., lora_rank: Any = ..., lora_alpha: Any = ..., quantization_config: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...
    def backward(self, tape: Any, dy: Any, need_dx: bool = True, preactivation: bool = False) -> Any: ...

Convolution1D = Conv1D

class Cropping1D(_Steps):
    cropping: Any
    def __init__(self, cropping: Any = ..., *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class Dense(Layer):
    units: int
    activation: Any
    use_bias: bool
    kernel_initializer: Any
    bias_initializer: Any
    kernel_regularizer: Any
    bias_regularizer: Any
    def __init__(self, units: int, activation: Any = None, use_bias: bool = True, kernel_initializer: _Initializer = 'glorot_uniform', bias_initializer: _Initializer = 'zeros', kernel_regularizer: Any = None, bias_regularizer: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, kernel_constraint: Any = ..., bias_constraint: Any = ..., lora_rank: Any = ..., lora_alpha: Any = ..., quantization_config: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...
    def backward(self, tape: Any, dy: Any, need_dx: bool = True, preactivation: bool = False) -> Any: ...

class Dot(_Merging):
    normalize: bool
    axes: Any
    def __init__(self, axes: Any, normalize: bool = False, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class Dropout(Layer):
    rate: float
    noise_shape: Any
    def __init__(self, rate: float, noise_shape: Any = None, seed: _Seed = None, *, name: _Name = None, dtype: _Type = None, **arguments: Unpack[_Arguments]) -> None: ...
    def scale(self, shape: _Shape, step: Any) -> Any: ...

class ELU(_OfArguments):
    alpha: float
    def function(x: Any, alpha: float = 1.0) -> Any: ...
    def gradient(x: Any, dy: Any, alpha: float = 1.0) -> Any: ...
    def __init__(self, alpha: float = 1.0, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class Embedding(Layer):
    input_dim: int
    output_dim: int
    embeddings_initializer: Any
    embeddings_regularizer: Any
    mask_zero: bool
    def __init__(self, input_dim: int, output_dim: int, embeddings_initializer: _Initializer = 'uniform', embeddings_regularizer: Any = None, *, mask_zero: bool = False, input_length: _Seed = None, name: _Name = None, dtype: _Type = None, seed: _Seed = None, trainable: bool = True, input_shape: _Shape = None, batch_shape: _Shape = None, batch_input_shape: _Shape = None, activity_regularizer: Any = None, autocast: Any = ..., embeddings_constraint: Any = ..., weights: Sequence[Any] = ..., lora_rank: Any = ..., lora_alpha: Any = ..., quantization_config: Any = ...) -> None: ...

class Flatten(Layer):
    def __init__(self, data_format: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class GRU(_Recurrent):
    reset_after: bool
    def __init__(self, units: int, activation: Any = 'tanh', recurrent_activation: Any = 'sigmoid', use_bias: bool = True, kernel_initializer: _Initializer = 'glorot_uniform', recurrent_initializer: _Initializer = 'orthogonal', bias_initializer: _Initializer = 'zeros', *, reset_after: bool = True, kernel_regularizer: Any = None, recurrent_regularizer: Any = None, bias_regularizer: Any = None, seed: _Seed = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, stateful: bool = False, zero_output_for_mask: bool = False, name: _Name = None, dtype: _Type = None, kernel_constraint: Any = ..., recurrent_constraint: Any = ..., bias_constraint: Any = ..., implementation: Any = ..., unroll: Any = ..., use_cudnn: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...

class GaussianDropout(_Noise):
    rate: float
    def __init__(self, rate: float, seed: _Seed = None, *, name: _Name = None, dtype: _Type = None, **arguments: Unpack[_Arguments]) -> None: ...

class GaussianNoise(_Noise):
    stddev: Any
    def __init__(self, stddev: Any, seed: _Seed = None, *, name: _Name = None, dtype: _Type = None, **arguments: Unpack[_Arguments]) -> None: ...

class GlobalAveragePooling1D(_GlobalPooling):
    ...

GlobalAvgPool1D = GlobalAveragePooling1D

GlobalMaxPool1D = GlobalMaxPooling1D

class GlobalMaxPooling1D(_GlobalPooling):
    ...

def Input(shape: _Shape = None, batch_size: _Seed = None, dtype: _Type = None, name: _Name = None, *, batch_shape: _Shape = None, **arguments: Any) -> Any: ...

class InputLayer(Layer):
    batch_size: Any
    shape: Any
    any_dtype: Any
    implied: bool
    tensor: Any
    def __init__(self, shape: _Shape = None, batch_size: _Seed = None, dtype: _Type = None, name: _Name = None, *, batch_shape: _Shape = None, implied: bool = False, seed: _Seed = None, trainable: bool = True, input_shape: _Shape = None, batch_input_shape: _Shape = None, activity_regularizer: Any = None, autocast: Any = ..., input_dim: int = ..., sparse: Any = ..., ragged: Any = ..., tensor: Any = ..., optional: Any = ...) -> None: ...

class LSTM(_Recurrent):
    def __init__(self, units: int, activation: Any = 'tanh', recurrent_activation: Any = 'sigmoid', use_bias: bool = True, kernel_initializer: _Initializer = 'glorot_uniform', recurrent_initializer: _Initializer = 'orthogonal', bias_initializer: _Initializer = 'zeros', unit_forget_bias: bool = True, *, kernel_regularizer: Any = None, recurrent_regularizer: Any = None, bias_regularizer: Any = None, seed: _Seed = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, stateful: bool = False, zero_output_for_mask: bool = False, name: _Name = None, dtype: _Type = None, kernel_constraint: Any = ..., recurrent_constraint: Any = ..., bias_constraint: Any = ..., implementation: Any = ..., unroll: Any = ..., use_cudnn: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...

class Layer:
    supports_masking: Any
    merges: Any
    auto_named: Any
    name: str
    dtype: np.dtype[Any]
    seed: Any
    declared_shape: Any
    built: bool
    turns: Any
    variables: list[Any]
    activity_regularizer: Any
    def __init__(self, name: _Name = None, dtype: _Type = None, seed: _Seed = None, *, trainable: bool = True, input_shape: _Shape = None, batch_shape: _Shape = None, batch_input_shape: _Shape = None, activity_regularizer: Any = None, autocast: Any = ..., input_dim: int = ...) -> None: ...
    def cast(self, x: Any) -> Any: ...
    def check_shape(self, shape: Any) -> None: ...
    def compute_output_shape(self, input_shape: _Shape) -> Any: ...
    def weight_shapes(self, input_shape: _Shape) -> dict[str, tuple[int, ...]]: ...
    def create(self, input_shape: _Shape) -> None: ...
    def initialize(self, input_shape: _Shape) -> None: ...
    def forward(self, x: Any, mask: Any = None, training: bool = False, step: int = 0) -> Any: ...
    def backward(self, tape: Any, dy: Any, need_dx: bool = True) -> Any: ...
    def get_config(self) -> dict[str, Any]: ...
    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any: ...
    def plain_config(self) -> dict[str, Any]: ...
    def check_complete(self) -> None: ...
    def build(self, input_shape: Any, draw: bool = True) -> None: ...
    def __call__(self, x: Any, mask: Any = None, training: bool = False) -> Any: ...
    def no_mask(self, mask: Any) -> None: ...
    @property
    def trainable(self) -> bool: ...
    @trainable.setter
    def trainable(self, value: bool) -> None: ...
    @property
    def trainable_variables(self) -> Any: ...
    @property
    def input(self) -> Any: ...
    @property
    def output(self) -> Any: ...
    @property
    def owned(self) -> Any: ...
    @property
    def weight_names(self) -> Any: ...
    @property
    def weights(self) -> list[NDArray[Any]]: ...
    def count_params(self) -> int: ...
    def get_weights(self) -> list[NDArray[Any]]: ...
    def set_weights(self, weights: Sequence[Any]) -> None: ...
    def draw(self, initializer: Any, shape: _Shape, index: _Seed) -> Any: ...
    def wrong_shape(self, expected: Any, shape: _Shape, hint: str = '') -> Any: ...

class LayerNormalization(_Normalization):
    def __init__(self, axis: int = -1, epsilon: float = 0.001, center: bool = True, scale: bool = True, beta_initializer: _Initializer = 'zeros', gamma_initializer: _Initializer = 'ones', beta_regularizer: Any = None, gamma_regularizer: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, beta_constraint: Any = ..., gamma_constraint: Any = ..., rms_scaling: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...

class LeakyReLU(_OfArguments):
    negative_slope: float
    def function(x: Any, negative_slope: float = 0.0, max_value: Any = None, threshold: float = 0.0) -> Any: ...
    def gradient(x: Any, dy: Any, negative_slope: float = 0.0, max_value: Any = None, threshold: float = 0.0) -> Any: ...
    def __init__(self, negative_slope: float = 0.3, *, alpha: Any = None, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class Masking(Layer):
    mask_value: float
    def __init__(self, mask_value: float = 0.0, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

MaxPool1D = MaxPooling1D

class MaxPooling1D(_Pooling):
    ...

class Maximum(_Elementwise):
    ...

class Minimum(Maximum):
    ...

class Multiply(_Elementwise):
    ...

class PReLU(Layer):
    alpha_initializer: Any
    alpha_regularizer: Any
    shared_axes: Any
    def __init__(self, alpha_initializer: _Initializer = 'zeros', alpha_regularizer: Any = None, alpha_constraint: Any = None, shared_axes: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class Permute(_Plain):
    dims: Any
    def __init__(self, dims: Any, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class ReLU(_OfArguments):
    max_value: Any
    negative_slope: float
    threshold: float
    def function(x: Any, negative_slope: float = 0.0, max_value: Any = None, threshold: float = 0.0) -> Any: ...
    def gradient(x: Any, dy: Any, negative_slope: float = 0.0, max_value: Any = None, threshold: float = 0.0) -> Any: ...
    def __init__(self, max_value: Any = None, negative_slope: float = 0.0, threshold: float = 0.0, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class RepeatVector(_Plain):
    n: int
    def __init__(self, n: int, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class Reshape(_Plain):
    target_shape: Any
    def __init__(self, target_shape: Sequence[int], *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class SimpleRNN(_Recurrent):
    def __init__(self, units: int, activation: Any = 'tanh', use_bias: bool = True, kernel_initializer: _Initializer = 'glorot_uniform', recurrent_initializer: _Initializer = 'orthogonal', bias_initializer: _Initializer = 'zeros', *, kernel_regularizer: Any = None, recurrent_regularizer: Any = None, bias_regularizer: Any = None, seed: _Seed = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, stateful: bool = False, zero_output_for_mask: bool = False, name: _Name = None, dtype: _Type = None, kernel_constraint: Any = ..., recurrent_constraint: Any = ..., bias_constraint: Any = ..., implementation: Any = ..., unroll: Any = ..., use_cudnn: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...

class Softmax(Layer):
    axis: int
    def __init__(self, axis: int = -1, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...
    @property
    def activation(self) -> Any: ...
    def backward(self, tape: Any, dy: Any, need_dx: bool = True, preactivation: bool = False) -> Any: ...

class SpatialDropout1D(Dropout):
    def __init__(self, rate: float, seed: _Seed = None, *, name: _Name = None, dtype: _Type = None, noise_shape: Any = None, **arguments: Unpack[_Arguments]) -> None: ...

class Subtract(_Elementwise):
    ...

class TimeDistributed(Layer):
    layer: Any
    def __init__(self, layer: Layer, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...
    @property
    def activation(self) -> Any: ...
    def backward(self, tape: Any, dy: Any, need_dx: bool = True, **how: Any) -> Any: ...
    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any: ...  # type: ignore[override]

class UnitNormalization(Layer):
    MOST: Any
    axis: int
    def __init__(self, axis: int = -1, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...
    def axes(self, ndim: Any) -> Any: ...

class UpSampling1D(_Steps):
    size: int
    def __init__(self, size: int = 2, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class ZeroPadding1D(_Steps):
    padding: int
    def __init__(self, padding: int = 1, data_format: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class _AroundModule(Layer):
    go_backwards: Any
    module: Any
    states: Any
    outputs: Any
    def __call__(self, x: Any, mask: Any = None, training: bool = False, *, initial_state: Any = None) -> Any: ...
    def forward(self, x: Any, mask: Any = None, training: bool = False, step: int = 0, initial_state: Any = None) -> Any: ...
    def reset_states(self) -> None: ...
    def reset_state(self) -> None: ...

class _Elementwise(_Merging):
    ...

class _GlobalPooling(_Steps):
    keepdims: bool
    def __init__(self, data_format: Any = None, keepdims: bool = False, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class _Merging(Layer):
    least: Any
    most: Any

class _Noise(Layer):
    ...

class _Normalization(Layer):
    axis: Any
    epsilon: Any
    center: Any
    scale: Any
    beta_initializer: Any
    gamma_initializer: Any
    beta_regularizer: Any
    gamma_regularizer: Any
    def __init__(self, axis: Any, epsilon: Any, center: Any, scale: Any, beta_initializer: _Initializer, gamma_initializer: _Initializer, beta_regularizer: Any, gamma_regularizer: Any, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, beta_constraint: Any = ..., gamma_constraint: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...
    def size(self, shape: _Shape) -> Any: ...
    def weight(self, name: _Name) -> Any: ...

class _OfArguments(Layer):
    function: Any
    gradient: Any
    def values(self) -> NDArray[Any]: ...

class _Plain(Layer):
    ...

class _Pooling(_Windows):
    pool_size: int
    def __init__(self, pool_size: int = 2, strides: Any = None, padding: str = 'valid', data_format: Any = None, *, name: _Name = None, dtype: _Type = None, seed: _Seed = None, **arguments: Unpack[_Arguments]) -> None: ...

class _Recurrent(_AroundModule):
    cell: Any
    module_class: Any
    unit_forget_bias: Any
    units: int
    activation: Any
    recurrent_activation: Any
    use_bias: Any
    kernel_initializer: Any
    recurrent_initializer: Any
    bias_initializer: Any
    kernel_regularizer: Any
    recurrent_regularizer: Any
    bias_regularizer: Any
    dropout: float
    recurrent_dropout: float
    return_sequences: bool
    return_state: bool
    stateful: bool
    zero_output_for_mask: bool
    def __init__(self, units: int, activation: Any, recurrent_activation: Any, use_bias: Any, kernel_initializer: _Initializer, recurrent_initializer: _Initializer, bias_initializer: _Initializer, *, kernel_regularizer: Any = None, recurrent_regularizer: Any = None, bias_regularizer: Any = None, seed: _Seed = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, stateful: bool = False, zero_output_for_mask: bool = False, name: _Name = None, dtype: _Type = None, kernel_constraint: Any = ..., recurrent_constraint: Any = ..., bias_constraint: Any = ..., implementation: Any = ..., unroll: Any = ..., use_cudnn: Any = ..., **arguments: Unpack[_Arguments]) -> None: ...

class _Steps(_Plain):
    ...

class _Windows(_Steps):
    ...

def add(inputs: Any, *arguments: Any, **settings: Any) -> Any: ...

def average(inputs: Any, *arguments: Any, **settings: Any) -> Any: ...

def concatenate(inputs: Any, *arguments: Any, **settings: Any) -> Any: ...

def dot(inputs: Any, *arguments: Any, **settings: Any) -> Any: ...

def from_config(kind: Any, config: dict[str, Any]) -> Any: ...

def maximum(inputs: Any, *arguments: Any, **settings: Any) -> Any: ...

def minimum(inputs: Any, *arguments: Any, **settings: Any) -> Any: ...

def multiply(inputs: Any, *arguments: Any, **settings: Any) -> Any: ...

def subtract(inputs: Any, *arguments: Any, **settings: Any) -> Any: ...
