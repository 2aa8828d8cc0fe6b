"""Circuits in the formats of other programs: ONNX, NIR and GraphML."""
