"""Peer of preference.ts: python preference_peer.py MODEL PAIRS.json IMAGES SETTINGS.json

Learns pairs with TRL's DPOTrainer (projector and language model, float32), whose ids and labels are given, in their order.
Prints one line of JSON: versions, the seconds of each step, the losses and the peak memory in bytes.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch
import transformers
import trl
from datasets import Dataset
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessor, LlavaForConditionalGeneration, TrainerCallback

model_folder, pairs_path, images, settings_path = sys.argv[1:]
settings = json.loads(Path(settings_path).read_text())
pairs = json.loads(Path(pairs_path).read_text())
torch.set_num_threads(settings["threads"])
transformers.logging.set_verbosity_error()
side = settings["imageSize"]
processor = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
load = lambda: LlavaForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32)
model = load()
model.model.vision_tower.requires_grad_(False)
tokenizer = AutoTokenizer.from_pretrained(model_folder)
tokenizer.pad_token = tokenizer.eos_token


def collate(examples):
    chosen = [pairs[example["index"]] for example in examples]
    rows = [pair[name] for name in ("chosen", "rejected") for pair in chosen]
    longest = max(len(row["inputIds"]) for row in rows)

    def padded(values, filler):
        return torch.tensor([each + [filler] * (longest - len(each)) for each in values])

    labels = padded([row["labels"] for row in rows], -100)
    pixels = [
        processor(Image.open(Path(images) / row["images"][0]).convert("RGB"), return_tensors="pt")["pixel_values"]
        for row in rows
    ]
    return {
        "input_ids": padded([row["inputIds"] for row in rows], 0),
        "attention_mask": padded([[1] * len(row["inputIds"]) for row in rows], 0),
        "completion_mask": (labels != -100).long(),
        "pixel_values": torch.cat(pixels),
    }


class Clock(TrainerCallback):
    def __init__(self):
        self.seconds, self.losses, self.start = [], [], 0.0

    def on_step_begin(self, args, state, control, **kwargs):
        self.start = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        self.seconds.append(time.perf_counter() - self.start)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.losses.append(logs["loss"])


clock = Clock()
with tempfile.TemporaryDirectory() as output:
    arguments = trl.DPOConfig(
        output_dir=output,
        use_cpu=True,
        bf16=False,
        beta=0.1,
        per_device_train_batch_size=settings["microBatch"],
        gradient_accumulation_steps=settings["batchSize"] // settings["microBatch"],
        max_steps=settings["steps"],
        learning_rate=settings["learningRate"],
        lr_scheduler_type="constant",
        gradient_checkpointing=False,
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        max_length=None,
    )
    trainer = trl.DPOTrainer(
        model=model,
        ref_model=load(),
        args=arguments,
        train_dataset=Dataset.from_list(
            [{"index": index, "prompt": "a", "chosen": " b", "rejected": " c"} for index in range(len(pairs))]
        ),
        processing_class=tokenizer,
        data_collator=collate,
        callbacks=[clock],
    )
    trainer.pop_callback(transformers.trainer_callback.PrinterCallback)
    trainer.train()
name = f"trl {trl.__version__}, transformers {transformers.__version__}, torch {torch.__version__}"
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"name": name, "seconds": clock.seconds, "losses": clock.losses, "peak": peak}))
