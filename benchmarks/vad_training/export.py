"""Write csrc/src/vad_weights.c from a trained model.

    python -m benchmarks.vad_training.export MODEL.pt > csrc/src/vad_weights.c

Weights become int8 with one scale per output (the largest weight of a row is 127); inputs are normalised outside.
`read` gets a model back from such a table, so that training can go on from the weights that are shipped.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.vad_training.tables import table

UNIT = 4096.0  # what the C core multiplies activations with

Floats = npt.NDArray[np.float32]


def quantise(weight: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """[outputs, inputs] -> int8 of the same shape, and the scale of each output."""
    scale = np.abs(weight).max(axis=1) / 127 + 1e-12
    return np.rint(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def packed(weight: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """[outputs, inputs] -> [inputs / 2, outputs, 2], flat."""
    outputs, inputs = weight.shape
    return weight.T.reshape(inputs // 2, 2, outputs).transpose(0, 2, 1).ravel()


def int8_table(name: str, values: npt.NDArray[np.int8]) -> str:
    """Format the weights of a matrix."""
    lines, line = [], "   "
    for value in values.tolist():
        text = f"{value},"
        if len(line) + len(text) > 119:
            lines.append(line)
            line = "   "
        line += text if line[-1] == "," else f" {text}"
    return "\n".join([f"static const int8_t {name}[{len(values)}] = {{", *lines, line, "};\n"])


def matrix(name: str, weight: Floats, bias: Floats) -> str:
    """Format a matrix with scales and biases."""
    fixed, scale = quantise(weight)
    outputs, inputs = weight.shape
    return "\n".join(
        [
            int8_table(f"{name}_weight", packed(fixed)),
            "static " + table("float", f"{name}_scale", scale / UNIT),
            "static " + table("float", f"{name}_bias", bias),
            f"const asr_vad_matrix asr_{name} = {{{inputs}, {outputs}, {name}_weight, {name}_scale, {name}_bias}};\n",
        ]
    )


def read(path: Path) -> dict[str, torch.Tensor]:
    """Return the model whose table `path` is, as far as int8 keeps it."""
    text = path.read_text(encoding="ascii")

    def values(name: str) -> Floats:
        found = re.search(rf"\b{name}\[.*?\] = \{{(.*?)\}};", text, re.DOTALL)
        assert found, name
        numbers = re.findall(r"-?\d[\d.]*(?:e[-+]?\d+)?", found[1])
        return np.array([float(number) for number in numbers], np.float32)

    def weight(name: str) -> Floats:
        scale = values(f"{name}_scale") * np.float32(UNIT)
        pairs = values(f"{name}_weight").reshape(-1, len(scale), 2)
        return np.asarray(pairs.transpose(1, 0, 2).reshape(len(scale), -1) * scale[:, None])

    model = {"mean": values("asr_vad_input_mean"), "scale": values("asr_vad_input_scale")}
    model |= {"dense.weight": weight("vad_dense"), "dense.bias": values("vad_dense_bias")}
    for layer in ("first", "second"):
        for side, part in (("input", "ih"), ("state", "hh")):
            model[f"{layer}.weight_{part}_l0"] = weight(f"vad_{layer}_{side}")
            model[f"{layer}.bias_{part}_l0"] = values(f"vad_{layer}_{side}_bias")
    model["answer.bias"] = values("asr_vad_answer_bias")
    model["answer.weight"] = values(r"asr_vad_answer_weight\[ASR_VAD_STRIDE\]").reshape(len(model["answer.bias"]), -1)
    return {name: torch.from_numpy(array) for name, array in model.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    held = {name: tensor.float().numpy() for name, tensor in torch.load(options.model, map_location="cpu").items()}
    write = sys.stdout.write
    write('/* Made by benchmarks/vad_training/export.py. */\n#include "vad_learned.h"\n\n')
    write(table("float", "asr_vad_input_mean", held["mean"]) + "\n")
    write(table("float", "asr_vad_input_scale", held["scale"]) + "\n")
    write(matrix("vad_dense", held["dense.weight"], held["dense.bias"]) + "\n")
    for layer in ("first", "second"):
        for side, part in (("input", "ih"), ("state", "hh")):
            write(
                matrix(f"vad_{layer}_{side}", held[f"{layer}.weight_{part}_l0"], held[f"{layer}.bias_{part}_l0"]) + "\n"
            )
    rows = "},\n    {".join(", ".join(f"{v:.9g}f" for v in row) for row in held["answer.weight"])
    write("const float asr_vad_answer_weight[ASR_VAD_STRIDE][ASR_VAD_FIRST + ASR_VAD_SECOND] = {\n")
    write(f"    {{{rows}}},\n}};\n\n")
    write(table("float", "asr_vad_answer_bias", held["answer.bias"]).replace("[2]", "[ASR_VAD_STRIDE]"))


if __name__ == "__main__":
    main()
