"""Data: records of files or lists, as a model reads them, and batches of them."""

from segviz.data.collating import IGNORED, Collator, dense_mask
from segviz.data.encoding import Encoded, Encoder
from segviz.data.records import Record, data_hash, read_records

__all__ = [
    "IGNORED",
    "Collator",
    "Encoded",
    "Encoder",
    "Record",
    "data_hash",
    "dense_mask",
    "read_records",
]
