"""Loads trained models with transformers and adapters with PEFT, and compares their logits with those of a file.

    python proofs/check_exports.py LOGITS BASE NAME=FOLDER…        # called by check-exports.ts
"""

import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import LlavaForConditionalGeneration

expected, base, *folders = sys.argv[1:]
inputs = load_file(Path(base) / "reference.safetensors")


def load(folder):
    return LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()


def logits_of(model):
    with torch.no_grad():
        return model(input_ids=inputs["input_ids"].long(), pixel_values=inputs["pixel_values"]).logits


def trained(folder):
    adapted = (Path(folder) / "adapter_config.json").exists()
    return PeftModel.from_pretrained(load(base), folder).eval() if adapted else load(folder)


def largest(a, b):
    return (a - b).abs().max().item()


logits, untrained = load_file(expected), logits_of(load(base))
for name, folder in (given.split("=", 1) for given in folders):
    actual = logits_of(trained(folder))
    difference, size = largest(actual, logits[name]), logits[name].abs().max().item()
    changed = largest(actual, untrained)
    print(f"{name}: logits up to {size:.1f} differ by {difference:.1e}; training changed them by {changed:.2f}")
    if not difference <= 1e-5 * max(1, size):
        sys.exit(f"{name} is not what was trained")
