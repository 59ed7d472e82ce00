"""Callbacks: functions that `fit`, `evaluate` and `predict` call as they go."""

from dualnn.callbacks.callback import Callback, Logs
from dualnn.callbacks.csv_logger import CSVLogger
from dualnn.callbacks.early_stopping import EarlyStopping
from dualnn.callbacks.history import History
from dualnn.callbacks.json_lines_logger import JSONLinesLogger
from dualnn.callbacks.lambda_callback import LambdaCallback
from dualnn.callbacks.learning_rate_scheduler import LearningRateScheduler
from dualnn.callbacks.model_checkpoint import ModelCheckpoint
from dualnn.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from dualnn.callbacks.tensorboard import TensorBoard
from dualnn.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "JSONLinesLogger",
    "LambdaCallback",
    "LearningRateScheduler",
    "Logs",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]
