"""Peer of image.ts: python image_peer.py pil|torchvision|next-pil|next-torchvision SIDE PHOTO...

Prints its name, then for every line on stdin the seconds that all photos took on one thread. LLaVA-NeXT's processors get
photos that are decoded before.
"""

import sys
import time

import PIL
import transformers
from PIL import Image

backend, side, *paths = sys.argv[1:]
if backend == "pil":
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil as Processor
elif backend == "next-pil":
    from transformers import LlavaNextImageProcessorPil as Processor
else:
    import torch
    import torchvision  # noqa: F401
    from transformers import CLIPImageProcessor, LlavaNextImageProcessor

    Processor = LlavaNextImageProcessor if backend.startswith("next") else CLIPImageProcessor
    torch.set_num_threads(1)

tensors = "np" if backend.endswith("pil") else "pt"
decoded = [Image.open(path).convert("RGB") for path in paths] if backend.startswith("next") else None
processor = Processor(size={"shortest_edge": int(side)}, crop_size={"height": int(side), "width": int(side)})
print(f"transformers {transformers.__version__}, Pillow {PIL.__version__}, {backend}", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    for image in decoded or (Image.open(path).convert("RGB") for path in paths):
        processor(image, return_tensors=tensors)
    print(time.perf_counter() - start, flush=True)
