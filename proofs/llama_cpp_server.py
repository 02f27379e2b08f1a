"""Starts llama.cpp's server by its Python binding, prints its address, and ends with its standard input.

    python proofs/llama_cpp_server.py TEXT.gguf MMPROJ.gguf       # called by check-llama-cpp.ts, keys and values in float32
    python proofs/llama_cpp_server.py TEXT.gguf MMPROJ.gguf --slots 8 --threads 2 --context 8192    # by bench/serving.ts
"""

import argparse
import sys

import xllamacpp

parser = argparse.ArgumentParser()
parser.add_argument("text")
parser.add_argument("eye")
parser.add_argument("--slots", type=int, help="as llama-server's own defaults are, with so many slots")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--context", type=int, default=1024)
arguments = parser.parse_args()

parameters = xllamacpp.CommonParams()
parameters.model.path = arguments.text
parameters.mmproj.path = arguments.eye
parameters.n_ctx = arguments.context
parameters.n_parallel = arguments.slots or 1
parameters.n_gpu_layers = 0
parameters.cpuparams.n_threads = arguments.threads
parameters.cpuparams_batch.n_threads = arguments.threads
if arguments.slots is None:
    parameters.warmup = False
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
parameters.verbosity = -1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
