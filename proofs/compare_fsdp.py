"""Gradients of a model's mean loss over rows by PyTorch's FSDP2 in two processes over Gloo.

python compare_fsdp.py MODEL ROWS.json DTYPE OUT.safetensors
"""

import json
import os
import socket
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import save_file
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers import LlavaForConditionalGeneration

RANKS = 2


def work(rank: int, port: int, model_folder: str, rows_path: str, dtype: str, out: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    mesh = dist.init_device_mesh("cpu", (RANKS,))
    model = LlavaForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32)
    for parameter in [*model.model.vision_tower.parameters(), *model.model.multi_modal_projector.parameters()]:
        parameter.requires_grad_(False)
    policy = MixedPrecisionPolicy(param_dtype=getattr(torch, dtype), reduce_dtype=torch.float32)
    language = model.model.language_model
    for layer in language.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    rows = json.load(open(rows_path))
    units = sum(label >= 0 for row in rows for label in row["labels"][1:])
    own = rows[rank::RANKS]
    for row in own:
        ids = torch.tensor([row["inputIds"]])
        logits = model(input_ids=ids).logits[0, :-1].float()
        targets = torch.tensor(row["labels"][1:])
        loss = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum")
        (loss / units * RANKS).backward()  # gradients are averaged over the ranks
    gradients = {
        name: parameter.grad.full_tensor().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is not None
    }
    if rank == 0:
        save_file(gradients, out)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(work, args=(port, *sys.argv[1:5]), nprocs=RANKS)
