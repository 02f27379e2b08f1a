"""Starts llama.cpp's server by its Python binding, prints its address, and ends with its standard input.

    python proofs/llama_cpp_server.py TEXT.gguf MMPROJ.gguf       # called by check-llama-cpp.ts
"""

import sys

import xllamacpp

text, eye = sys.argv[1:]
parameters = xllamacpp.CommonParams()
parameters.model.path = text
parameters.mmproj.path = eye
parameters.n_ctx = 1024
parameters.n_parallel = 1
parameters.n_gpu_layers = 0
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
parameters.warmup = False
parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
parameters.verbosity = -1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
