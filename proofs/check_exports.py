"""Loads a trained model with transformers and an adapter with PEFT, and compares their logits with those of a file.

    python proofs/check_exports.py LOGITS BASE MODEL ADAPTER        # called by check-exports.ts
"""

import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import LlavaForConditionalGeneration

expected, base, whole, adapter = sys.argv[1:]
inputs = load_file(Path(base) / "reference.safetensors")


def load(folder):
    return LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()


def logits_of(model):
    with torch.no_grad():
        return model(input_ids=inputs["input_ids"].long(), pixel_values=inputs["pixel_values"]).logits


def largest(a, b):
    return (a - b).abs().max().item()


logits, untrained = load_file(expected), logits_of(load(base))
found = {"full": logits_of(load(whole)), "lora": logits_of(PeftModel.from_pretrained(load(base), adapter).eval())}
for name, actual in found.items():
    difference = largest(actual, logits[name])
    print(f"{name}: logits differ by {difference:.1e}; training changed them by {largest(actual, untrained):.2f}")
    if not difference <= 1e-4:
        sys.exit(f"{name} is not what was trained")
