"""Peer of language-model.ts: python language_model_peer.py GGUF PROJECTOR.safetensors DTYPE THREADS

Prints its name, then answers each JSON line with seconds (or, for the task "loss", with the last training loss).
"""

import json
import sys
import time
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, DynamicCache

gguf, shared, dtype, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
path = Path(gguf)
model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=getattr(torch, dtype)).eval()
model.requires_grad_(False)
tensors = load_file(shared)
first, second = (torch.nn.Linear(*reversed(tensors[f"linear_{i}.weight"].shape)) for i in (1, 2))
for i, layer in enumerate((first, second), 1):
    layer.weight.data.copy_(tensors[f"linear_{i}.weight"])
    layer.bias.data.copy_(tensors[f"linear_{i}.bias"])
projector = torch.nn.Sequential(first, torch.nn.GELU(), second)
optimizer = torch.optim.AdamW(projector.parameters(), lr=0, weight_decay=0, fused=True)
last_loss = float("nan")


@torch.inference_mode()
def decode(ids, count):
    cache = DynamicCache()
    token = model(torch.tensor([ids]), past_key_values=cache, logits_to_keep=1).logits[:, -1].argmax(-1, keepdim=True)
    start = time.perf_counter()
    for _ in range(count):
        token = model(token, past_key_values=cache).logits[:, -1].argmax(-1, keepdim=True)
        token.item()
    return (time.perf_counter() - start) / count


@torch.inference_mode()
def prefill(ids):
    start = time.perf_counter()
    model(torch.tensor([ids]), past_key_values=DynamicCache(), logits_to_keep=1).logits[:, -1].argmax().item()
    return time.perf_counter() - start


def train(captions, steps):
    global last_loss
    images = tensors["features"].shape[1]
    length = max(map(len, captions))
    ids = torch.tensor([row + [0] * (length - len(row)) for row in captions])
    labels = torch.tensor([[-100] * images + row + [-100] * (length - len(row)) for row in captions])
    mask = torch.tensor([[1] * (images + len(row)) + [0] * (length - len(row)) for row in captions])
    start = time.perf_counter()
    for _ in range(steps):
        projected = projector(tensors["features"]).to(model.dtype)
        inputs = torch.cat([projected, model.get_input_embeddings()(ids)], 1)
        loss = model(inputs_embeds=inputs, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        last_loss = loss.item()
    return (time.perf_counter() - start) / steps


print(f"transformers {transformers.__version__}, torch {torch.__version__}", flush=True)
tasks = {"decode": decode, "prefill": prefill, "train": train, "loss": lambda: last_loss}
for line in sys.stdin:
    question = json.loads(line)
    print(tasks[question.pop("task")](**question), flush=True)
