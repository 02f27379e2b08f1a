"""Milliseconds of sums and gathers between two processes, outputs used again, and those of the processor, as JSON.

    python bench/collectives_peer.py REPEATS        # called by collectives.ts
"""

import json
import os
import socket
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

BYTES = 64 * 2**20


def work(rank, port, repeats):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    whole, part = torch.ones(BYTES // 4), torch.ones(BYTES // 8)
    output, meeting = torch.empty(BYTES // 4), torch.zeros(1)
    few, all_few = torch.zeros(4096, dtype=torch.uint8), torch.zeros(2 * 4096, dtype=torch.uint8)
    bodies = {
        "sum": lambda: dist.all_reduce(whole),
        "gather": lambda: dist.all_gather_into_tensor(output, part),
        "small gather": lambda: dist.all_gather_into_tensor(all_few, few),
    }
    times = {}
    for _ in range(repeats):
        for name, body in bodies.items():
            dist.all_reduce(meeting)
            began, before = time.perf_counter(), time.process_time()
            body()
            passed = time.perf_counter() - began
            used = time.process_time() - before
            times.setdefault(name, []).append(1000 * passed)
            times.setdefault(f"{name}, processor", []).append(1000 * used)
    if rank == 0:
        print(json.dumps(times))
    dist.destroy_process_group()


if __name__ == "__main__":
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(work, (port, int(sys.argv[1])), nprocs=2)
