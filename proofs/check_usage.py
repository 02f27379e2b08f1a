"""
How many tokens conversations with images and videos take, and how many of them are those of images and videos, by transformers'
processors; prints pairs as JSON.

    python proofs/check_usage.py ASKED        # called by check-usage.ts
"""

import json
import sys

import numpy
from PIL import Image
from transformers import AutoProcessor
from transformers.utils import logging

logging.set_verbosity_error()
(path,) = sys.argv[1:]
with open(path) as file:
    asked = json.load(file)
told = []
for case in asked:
    processor = AutoProcessor.from_pretrained(case["folder"])
    marks = {processor.image_token_id, getattr(processor, "video_token_id", None)}
    for question in case["questions"]:
        images = [Image.open(image).convert("RGB") for image in question["images"]]
        media = {
            # In a list of their own they are those of one prompt, which some models see otherwise than one image of each.
            "images": [images] if images else [],
            "videos": [
                numpy.stack([numpy.asarray(Image.open(frame).convert("RGB")) for frame in video])
                for video in question["videos"]
            ],
        }
        text = processor.apply_chat_template(question["messages"], add_generation_prompt=True)
        if question["videos"]:
            # Templates of checkpoints from before videos know images alone.
            text = text.replace(processor.image_token, processor.video_token)
        begin = processor.tokenizer.bos_token
        given = {name: each for name, each in media.items() if each}
        if "videos" in given:
            given["do_sample_frames"] = False
        # The template writes what begins a prompt, or leaves it to the tokenizer.
        special = not (begin and text.startswith(begin))
        ids = processor(text=text, add_special_tokens=special, **given)["input_ids"]
        ids = list(numpy.asarray(ids).reshape(-1))
        told.append([len(ids), sum(int(id) in marks for id in ids)])
print(json.dumps(told))
