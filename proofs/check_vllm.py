"""Answers questions about images with vLLM on the CPU in float32; prints greedy tokens and likely ones' log probabilities as JSON.

    python proofs/check_vllm.py ASKED        # called by check-vllm.ts
"""

import json
import os
import sys

os.environ |= {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}

if __name__ == "__main__":
    from PIL import Image
    from vllm import LLM, SamplingParams

    (path,) = sys.argv[1:]
    with open(path) as file:
        asked = json.load(file)
    sampling = SamplingParams(
        max_tokens=asked["tokens"], temperature=0, logprobs=asked["likeliest"], ignore_eos=True
    )

    def answers_of(checkpoint, questions):
        model = LLM(
            model=checkpoint,
            dtype="float32",
            max_model_len=256,
            max_num_seqs=1,
            enforce_eager=True,
            limit_mm_per_prompt={"image": 1},
            max_logprobs=asked["likeliest"],
            skip_mm_profiling=True,
            # Its default resizes by torchvision, whose pixel values are other than Pillow's by a rounding.
            mm_processor_kwargs={"backend": "pil"},
        )
        for question in questions:
            image = Image.open(question["image"]).convert("RGB")
            prompt = {"prompt": question["prompt"], "multi_modal_data": {"image": image}}
            (answer,) = model.generate(prompt, sampling, use_tqdm=False)
            (output,) = answer.outputs
            steps = [
                {"token": token, "logprobs": {str(i): found.logprob for i, found in likely.items()}}
                for token, likely in zip(output.token_ids, output.logprobs)
            ]
            yield {"ids": len(answer.prompt_token_ids), "steps": steps}

    print(json.dumps([list(answers_of(case["checkpoint"], case["questions"])) for case in asked["cases"]]))
