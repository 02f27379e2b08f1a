"""Peer of training.ts: python training_peer.py MODEL ROWS.json IMAGES SETTINGS.json

Fine-tunes MODEL (projector and language model) with transformers' Trainer on rows in the order of its own sampler by length,
of which it takes some steps, evenly spaced, and writes their rows' indices to settings["chosen"]. Prints its name; then for
each line "run" goes through these rows and prints the seconds that took, loading included; for "loss" and "padded" prints
the mean loss over supervised tokens and the tokens with padding of that pass.
"""

import json
import operator
import sys
import time
from pathlib import Path

import torch
import transformers
from PIL import Image
from transformers import CLIPImageProcessor, LlavaForConditionalGeneration, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_pt_utils import get_length_grouped_indices

model_folder, rows_path, images, settings_path = sys.argv[1:]
settings = json.loads(Path(settings_path).read_text())
batch, micro_batch, steps = settings["batchSize"], settings["microBatch"], settings["steps"]
torch.set_num_threads(settings["threads"])
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

rows = json.loads(Path(rows_path).read_text())
generator = torch.Generator().manual_seed(0)
order = get_length_grouped_indices([len(row["inputIds"]) for row in rows], batch, generator=generator)
all_steps = [order[start : start + batch] for start in range(0, len(order) - batch + 1, batch)]
chosen = [index for i in range(steps) for index in all_steps[(2 * i + 1) * len(all_steps) // (2 * steps)]]
Path(settings["chosen"]).write_text(json.dumps(chosen))

side = settings["imageSize"]
processor = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
model = LlavaForConditionalGeneration.from_pretrained(model_folder, dtype=torch.float32)
model.model.vision_tower.requires_grad_(False)
model.config.use_cache = False
figures = {"loss": 0.0, "padded": 0, "processor": 0.0}


class Rows(torch.utils.data.Dataset):
    """Images are decoded when a row is asked for."""

    def __len__(self):
        return len(chosen)

    def __getitem__(self, index):
        row = rows[chosen[index]]
        pixels = [
            processor(Image.open(Path(images) / name).convert("RGB"), return_tensors="pt")["pixel_values"]
            for name in row["images"]
        ]
        return {"ids": row["inputIds"], "labels": row["labels"], "pixels": pixels}


def collate(samples):
    longest = max(len(sample["ids"]) for sample in samples)

    def padded(values, filler):
        return torch.tensor([value + [filler] * (longest - len(value)) for value in values])

    ids = [sample["ids"] for sample in samples]
    inputs = {
        "input_ids": padded(ids, 0),
        "labels": padded([sample["labels"] for sample in samples], -100),
        "attention_mask": padded([[1] * len(each) for each in ids], 0),
    }
    figures["padded"] += inputs["input_ids"].numel()
    pixels = [image for sample in samples for image in sample["pixels"]]
    return {**inputs, "pixel_values": torch.cat(pixels)} if pixels else inputs


def units(step):
    return sum(label != -100 for index in step for label in rows[index]["labels"][1:])


class Turns(TrainerCallback):
    """Waits for a line before each pass over the rows."""

    def __init__(self):
        self.losses = []
        self.start = self.processor = 0.0

    def on_epoch_begin(self, args, state, control, **kwargs):
        for line in map(str.strip, sys.stdin):
            if line == "run":
                figures["padded"] = 0
                self.losses = []
                self.start, self.processor = time.perf_counter(), time.process_time()
                return
            print(figures[line], flush=True)
        sys.exit()

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])

    def on_epoch_end(self, args, state, control, **kwargs):
        seconds = time.perf_counter() - self.start
        figures["processor"] = time.process_time() - self.processor
        weights = [units(chosen[start : start + batch]) for start in range(0, len(chosen), batch)]
        figures["loss"] = sum(map(operator.mul, self.losses, weights)) / sum(weights)
        print(seconds, flush=True)


arguments = TrainingArguments(
    output_dir=settings["output"],
    use_cpu=True,
    bf16=settings["dtype"] == "bfloat16",
    per_device_train_batch_size=micro_batch,
    gradient_accumulation_steps=batch // micro_batch,
    num_train_epochs=1000,
    learning_rate=settings["learningRate"],
    lr_scheduler_type="constant",
    train_sampling_strategy="sequential",
    logging_steps=1,
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
    remove_unused_columns=False,
)
trainer = Trainer(model=model, args=arguments, train_dataset=Rows(), data_collator=collate, callbacks=[Turns()])
trainer.pop_callback(transformers.trainer_callback.PrinterCallback)
print(f"transformers {transformers.__version__}, torch {torch.__version__}", flush=True)
trainer.train()
