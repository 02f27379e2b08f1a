"""Compares a training run's TensorBoard events, as TensorBoard reads them, with its log: python proofs/check_events.py RUN

Needs tensorboard. Every number of log.jsonl must be there at its step, and nothing else.
"""

import json
import math
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = Path(sys.argv[1])
events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
read = {tag.split("/")[1]: {e.step: e.value for e in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
logged = {}
for line in (run / "log.jsonl").read_text().splitlines():
    entry = json.loads(line)
    step = entry.pop("step")
    for name, value in entry.items():
        logged.setdefault(name, {})[step] = value


def single(value):
    return math.nan if value is None else struct.unpack("f", struct.pack("f", value))[0]


assert read.keys() == logged.keys(), (sorted(read), sorted(logged))
for name, values in logged.items():
    assert read[name].keys() == values.keys(), (name, sorted(read[name]), sorted(values))
    for step, value in values.items():
        same = read[name][step] == single(value) or (value is None and math.isnan(read[name][step]))
        assert same, (name, step, read[name][step], value)
print(f"{run}: {sum(map(len, logged.values()))} numbers under {len(logged)} tags are the same")
