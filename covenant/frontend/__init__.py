"""ONNX models as layers: `read_model`, what it returns, and the host side of quantised models."""

from covenant.frontend.host import dequantise, graph_outputs, layer_inputs, quantise
from covenant.frontend.model import Boundary, GraphTensor, Model, Unsupported
from covenant.frontend.reader import read_model

__all__ = [
    "Boundary",
    "GraphTensor",
    "Model",
    "Unsupported",
    "dequantise",
    "graph_outputs",
    "layer_inputs",
    "quantise",
    "read_model",
]
