"""Peer of video.ts: python video_peer.py SIDE FRAMES CLIP...

Prints its name, then for every line on stdin the seconds in which PyAV and transformers' video processor make pixel values of
as many frames of each clip, spread evenly, on one thread.
"""

import sys
import time

import av
import numpy
import torch
import transformers
from transformers import LlavaNextVideoVideoProcessor

side, count, *paths = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
torch.set_num_threads(1)
processor = LlavaNextVideoVideoProcessor(
    size={"shortest_edge": side}, crop_size={"height": side, "width": side}, do_sample_frames=False
)


def frames(path):
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        total = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)
        container.seek(0)
        wanted = numpy.linspace(0, total - 1, count, dtype=int)
        last = set(wanted.tolist())
        found = {}
        for index, frame in enumerate(container.decode(stream)):
            if index in last:
                found[index] = frame.to_ndarray(format="rgb24")
            if index == wanted[-1]:
                break
        return numpy.stack([found[index] for index in wanted])


print(f"PyAV {av.__version__}, transformers {transformers.__version__}", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    for path in paths:
        processor(frames(path), return_tensors="pt")
    print(time.perf_counter() - start, flush=True)
