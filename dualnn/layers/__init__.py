"""The layers, written once against `dualnn.protocol`."""

from dualnn.layers.activation import Activation
from dualnn.layers.attention import Attention
from dualnn.layers.bidirectional import Bidirectional
from dualnn.layers.checkpoint import Checkpoint
from dualnn.layers.conv2d import Conv2D
from dualnn.layers.dense import Dense
from dualnn.layers.dropout import Dropout
from dualnn.layers.embedding import Embedding
from dualnn.layers.gaussian_dropout import GaussianDropout
from dualnn.layers.gaussian_noise import GaussianNoise
from dualnn.layers.gru import GRU
from dualnn.layers.layer import Layer
from dualnn.layers.lstm import LSTM
from dualnn.layers.masking import Masking
from dualnn.layers.merging import Add, Concatenate
from dualnn.layers.multi_head_attention import MultiHeadAttention
from dualnn.layers.normalization import BatchNormalization, LayerNormalization
from dualnn.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, MaxPooling2D
from dualnn.layers.random_flip import RandomFlip
from dualnn.layers.random_rotation import RandomRotation
from dualnn.layers.random_translation import RandomTranslation
from dualnn.layers.random_zoom import RandomZoom
from dualnn.layers.reshaping import Flatten, Reshape
from dualnn.layers.rnn import RNN
from dualnn.layers.sequence_pooling import GlobalAveragePooling1D
from dualnn.layers.simple_rnn import SimpleRNN
from dualnn.layers.symbolic import Input
from dualnn.layers.time_distributed import TimeDistributed
from dualnn.layers.torch_module_wrapper import TorchModuleWrapper

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "Add",
    "Attention",
    "AveragePooling2D",
    "BatchNormalization",
    "Bidirectional",
    "Checkpoint",
    "Concatenate",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "Input",
    "Layer",
    "LayerNormalization",
    "Masking",
    "MaxPooling2D",
    "MultiHeadAttention",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Reshape",
    "SimpleRNN",
    "TimeDistributed",
    "TorchModuleWrapper",
]
