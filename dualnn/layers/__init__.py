"""The layers, written once against `dualnn.protocol`."""

from dualnn.layers.activation import Activation
from dualnn.layers.conv2d import Conv2D
from dualnn.layers.dense import Dense
from dualnn.layers.dropout import Dropout
from dualnn.layers.embedding import Embedding
from dualnn.layers.layer import Layer
from dualnn.layers.merging import Add, Concatenate
from dualnn.layers.normalization import BatchNormalization, LayerNormalization
from dualnn.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, MaxPooling2D
from dualnn.layers.reshaping import Flatten, Reshape
from dualnn.layers.symbolic import Input

__all__ = [
    "Activation",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling2D",
    "Input",
    "Layer",
    "LayerNormalization",
    "MaxPooling2D",
    "Reshape",
]
