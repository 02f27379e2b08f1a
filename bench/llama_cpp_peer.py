"""llama.cpp with a GGUF file in a process of its own, for bench/real-sizes.ts: MODEL THREADS.

Answers "decode N" with milliseconds a token and "prefill N" with milliseconds. Needs xllamacpp, which is llama.cpp's server as a
package (pip install --no-deps xllamacpp); its timings are llama.cpp's own.
"""

import json
import sys
import urllib.request

import xllamacpp

model, threads = sys.argv[1], int(sys.argv[2])
params = xllamacpp.CommonParams()
params.model.path = model
params.n_ctx = 1024
params.n_batch = params.n_ubatch = 512
params.n_parallel = 1
params.n_gpu_layers = 0
params.warmup = False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
params.fit_params = False
params.verbosity = -1
server = xllamacpp.Server(params)
instructions = [name for name in ("AVX2", "AVX512", "AMX_INT8") if f"{name} = 1" in xllamacpp.get_system_info()]
print(f"llama.cpp (xllamacpp, {' '.join(instructions)})", flush=True)


def answer(prompt, tokens):
    request = {
        "prompt": [300 + i * 7919 % 31000 for i in range(prompt)],
        "n_predict": tokens,
        "temperature": 0,
        "samplers": ["temperature"],
        "cache_prompt": False,
        "ignore_eos": True,
    }
    body = json.dumps(request).encode()
    url = f"{server.listening_address}/completion"
    asked = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(asked) as reply:
        return json.loads(reply.read())["timings"]


for line in sys.stdin:
    task, count = line.split()
    if task == "prefill":
        print(answer(int(count), 1)["prompt_ms"], flush=True)
    else:
        print(answer(4, int(count) + 1)["predicted_ms"] / int(count), flush=True)
