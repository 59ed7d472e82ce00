"""Files: what is written so that it survives a crash, and read so that nothing in it is executed."""

from dualnn.saving.archive import read, write
from dualnn.saving.configs import Configured, decode, encode
from dualnn.saving.registry import register
from dualnn.saving.trees import pack, unpack

__all__ = ["Configured", "decode", "encode", "pack", "read", "register", "unpack", "write"]
