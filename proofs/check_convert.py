"""Loads converted checkpoints with transformers, makes their inputs by its processor, and compares both with those of a file.

    python proofs/check_convert.py EXPECTED IMAGE FOLDER        # called by check-convert.ts
"""

import sys

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

path, image, folder = sys.argv[1:]
expected = load_file(path)
with safe_open(path, "pt") as file:
    prompt = file.metadata()["prompt"]
processor = AutoProcessor.from_pretrained(folder, use_fast=False)
model, info = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    if info[kind]:
        sys.exit(f"{folder}: {kind} {info[kind]}")
inputs = processor(images=Image.open(image).convert("RGB"), text=prompt, return_tensors="pt")
ids = expected["input_ids"].long()
if inputs["input_ids"].tolist() != ids.tolist():
    sys.exit(f"{folder}: transformers makes the ids {inputs['input_ids'].tolist()}, expected {ids.tolist()}")
pixels = (inputs["pixel_values"].reshape(expected["pixel_values"].shape) - expected["pixel_values"]).abs().max().item()
with torch.no_grad():
    logits = model.eval()(**inputs).logits
rows = expected["logits"].shape[-1]
difference = (logits[..., :rows] - expected["logits"]).abs().max().item()
print(f"{model.config.model_type}: ids equal, pixel values differ by {pixels:.1e}, logits by {difference:.1e}")
if not max(pixels, difference) <= 1e-5:
    sys.exit(f"{folder} is not the model that it was made from")
