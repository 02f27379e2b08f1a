"""Peer of image.ts: python image_peer.py pil|torchvision SIDE PHOTO...

Prints its name, then for every line on stdin the seconds that all photos took on one thread.
"""

import sys
import time

import PIL
import transformers
from PIL import Image

backend, side, *paths = sys.argv[1:]
if backend == "pil":
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil as Processor
else:
    import torch
    import torchvision  # noqa: F401
    from transformers import CLIPImageProcessor as Processor

    torch.set_num_threads(1)

processor = Processor(size={"shortest_edge": int(side)}, crop_size={"height": int(side), "width": int(side)})
print(f"transformers {transformers.__version__}, Pillow {PIL.__version__}, {backend}", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    for path in paths:
        processor(Image.open(path).convert("RGB"), return_tensors="np" if backend == "pil" else "pt")
    print(time.perf_counter() - start, flush=True)
