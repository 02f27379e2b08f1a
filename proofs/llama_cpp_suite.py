"""
A pytest plugin that has llama.cpp's tests of its server (tools/server/tests) ask `llava serve`: check-llama-cpp-suite.ts runs it.

The servers are running already, at the ports LLAVA_PORT (open) and LLAVA_KEYED_PORT (with the suite's key). What a test says to
llama.cpp's own /completion is said to /v1/completions; counts of tokens and words of its tiny model are not compared. Each
test that cannot be asked is skipped with its reason.
"""

import os

import openai
import pytest
import requests
import utils

OPEN, KEYED = int(os.environ["LLAVA_PORT"]), int(os.environ["LLAVA_KEYED_PORT"])
IMAGES = int(os.environ["LLAVA_IMAGES_PORT"])

FILES = {
    "test_basic.py",
    "test_security.py",
    "test_chat_completion.py",
    "test_completion.py",
    "test_compat_oai_responses.py",
    "test_vision_api.py",
    "test_tokenize.py",
    "test_metrics.py",
    "test_ignore_eos.py",
    "test_ctx_shift.py",
}

OWN = "asks for fields or routes that only llama.cpp has"
ORIGINS = "here origins are named one by one (--allow-origin), and answers name methods and headers of this server"
SLOTS = "there are no slots here, and no route that tells of them"
TEMPLATE = "a model's own template is used, not one named by a flag"
FLAG = "needs a server started with another context or another model"
EMBED = "the models here make no embeddings"
FILE = "no path is opened for a client, whatever a flag says"
GBNF = "grammars are Lark's here, not GBNF"

SKIPS = {
    "test_server_multiple_addresses": "one address is listened at",
    "test_server_props": OWN,
    "test_server_models": "an alias is a model of its own in the list here, as vLLM has it",
    "test_server_slots": SLOTS,
    "test_load_split_model": FLAG,
    "test_no_ui": FLAG,
    "test_server_model_aliases_and_tags": OWN,
    "test_access_static_assets_without_api_key": "the page here has other files",
    "test_cors_options": ORIGINS,
    "test_cors_origins_localhost_reflects": ORIGINS,
    "test_cors_origins_localhost_rejects": ORIGINS,
    "test_cors_origins_defaults_to_localhost_with_tools_enabled": ORIGINS,
    "test_cors_proxy_only_forwards_explicit_proxy_headers": "nothing is forwarded here",
    "test_chat_completion_cached_tokens": "counts tokens of one tiny model",
    "test_chat_template": TEMPLATE,
    "test_chat_template_assistant_prefill": TEMPLATE,
    "test_chat_template_continue_final_message_vllm_compat": TEMPLATE,
    "test_apply_chat_template": TEMPLATE,
    "test_completion_with_grammar": GBNF,
    "test_chat_completion_with_timings_per_token": OWN,
    "test_logprobs_stream": "its first part has null for a text; OpenAI's and this server's have an empty one",
    "test_context_size_exceeded": "the error is OpenAI's here (context_length_exceeded)",
    "test_context_size_exceeded_stream": "the error is OpenAI's here (context_length_exceeded)",
    "test_return_progress": OWN,
    "test_verbose_debug": OWN,
    "test_completion_response_fields": OWN,
    "test_completion_unified": FLAG,
    "test_completion_stream_with_openai_library_stops": FLAG,
    "test_nocache_long_input_prompt": FLAG,
    "test_json_prompt_mtm_error_when_not_supported": FLAG,
    "test_n_probs": "ids are no part of OpenAI's log probabilities",
    "test_n_probs_stream": "ids are no part of OpenAI's log probabilities",
    "test_n_probs_post_sampling": OWN,
    "test_n_probs_post_backend_sampling": OWN,
    "test_completion_with_lora": OWN,
    "test_cancel_request": SLOTS,
    "test_completion_prompt_cache": "counts tokens of one tiny model",
    "test_responses_stream_with_llama_telemetry": OWN,
    "test_completion_with_tokens_input": "a prompt is a text or ids here, not both in one",
    "test_vision_completion": "completions take no images here",
    "test_vision_embeddings": EMBED,
    "test_vision_embeddings_oai_content": EMBED,
    "test_metrics_disabled": FLAG,
    "test_metrics_prometheus_format": "metrics have vLLM's names here",
    "test_metrics_prompt_processed_and_cached": "metrics have vLLM's names here",
    "test_metrics_predicted_total_matches_requests": "metrics have vLLM's names here",
    "test_metrics_generation_rate_excludes_first_token": OWN,
    "test_metrics_timings_are_finite": OWN,
    "test_metrics_timings_on_prompt_progress": OWN,
    "test_metrics_slots_idle_after_completion": SLOTS,
    "test_metrics_embedding_prompt_is_counted": EMBED,
    "test_ignore_eos_populates_logit_bias": OWN,
    "test_ignore_eos_false_no_logit_bias": OWN,
    "test_ctx_shift_enabled": FLAG,
    "test_ctx_shift_disabled_short_prompt": FLAG,
    "test_ctx_shift_disabled_long_prompt": FLAG,
}


class Anything(int):
    """Equals whatever a test compares it with."""

    def __eq__(self, _other):
        return True

    __hash__ = int.__hash__


def skip_reason(item):
    params = getattr(getattr(item, "callspec", None), "params", {})
    if item.originalname == "test_local_media_file" and params["success"]:
        return FILE
    if item.originalname == "test_logit_bias" and params.get("tokenize") is False:
        return "biases are of ids here, not of words"
    if item.originalname == "test_chat_completion" and params.get("chat_template"):
        return TEMPLATE
    return SKIPS.get(item.originalname)


def pytest_ignore_collect(collection_path):
    name = collection_path.name
    return True if name.startswith("test_") and name not in FILES else None


def pytest_collection_modifyitems(items):
    for item in items:
        # llama.cpp skips it because its answers with and without its cache differ.
        if item.originalname == "test_cache_vs_nocache_prompt":
            item.own_markers = [mark for mark in item.own_markers if mark.name != "skip"]
        for name in ("n_prompt",):
            if name in getattr(getattr(item, "callspec", None), "params", {}):
                item.callspec.params[name] = Anything()
        reason = skip_reason(item)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def start(self, timeout_seconds=0):
    self.server_port = KEYED if self.api_key else OPEN


asked, streamed = utils.ServerProcess.make_request, utils.ServerProcess.make_stream_request
native = ("/completion", "/completions")


def plain_prompt(prompt):
    if isinstance(prompt, dict):
        return prompt["prompt_string"]
    if isinstance(prompt, list) and any(isinstance(part, dict) for part in prompt):
        return [plain_prompt(part) for part in prompt]
    return prompt


def completion_body(server, data):
    body = {"temperature": server.temperature, "seed": server.seed, **data, "prompt": plain_prompt(data.get("prompt"))}
    body["max_tokens"] = data.get("n_predict", server.n_predict or 64)
    biases = data.get("logit_bias")
    if isinstance(biases, list):
        body["logit_bias"] = {str(token): bias for token, bias in biases}
    return {"ignore_eos": True, **body}


def completion_answer(body, choice):
    usage = body["usage"]
    return {
        "content": choice["text"],
        "truncated": False,
        "has_new_line": "\n" in choice["text"],
        "stop_type": "limit" if choice["finish_reason"] == "length" else "eos",
        "tokens": [],
        "timings": {"prompt_n": usage["prompt_tokens"], "predicted_n": usage["completion_tokens"]},
    }


def with_tokens(server, answer):
    """llama.cpp tells ids of an answer; here they are asked for."""
    answer["tokens"] = asked(server, "POST", "/tokenize", {"content": answer["content"]}).body["tokens"]
    return answer


def make_request(self, method, path, data=None, headers=None, timeout=600, host=None):
    if method == "POST" and path in native and isinstance(data, dict):
        result = asked(self, method, "/v1/completions", completion_body(self, data), headers, timeout, host)
        if result.status_code == 200:
            several = len(result.body["choices"]) > 1
            answers = [completion_answer(result.body, choice) for choice in result.body["choices"]]
            if data.get("return_tokens"):
                answers = [with_tokens(self, answer) for answer in answers]
            result.body = answers if several else answers[0]
        return result
    if method == "POST" and path == "/chat/completions" and isinstance(data, dict):
        data = {"ignore_eos": True, "temperature": self.temperature, "seed": self.seed, **data}
    result = asked(self, method, path, data, headers, timeout, host)
    if path.endswith("/models") and isinstance(result.body, dict):
        result.body["models"] = result.body.get("data")
    return result


def make_stream_request(self, method, path, data=None, headers=None, host=None):
    data = data or {}
    if path == "/completion":
        for event in streamed(self, method, "/v1/completions", {**completion_body(self, data), "stream_options": {"include_usage": True}}, headers, host):
            for choice in event["choices"]:
                if choice["text"]:
                    yield {"content": choice["text"], "stop": False, "tokens": [0]}
                if choice["finish_reason"]:
                    ended = choice
            if not event["choices"]:
                settings = {"n_predict": data.get("n_predict"), "seed": self.seed, "adaptive_target": 0, "adaptive_decay": 0}
                yield {**completion_answer(event, {**ended, "text": ""}), "stop": True, "generation_settings": settings}
        return
    if path == "/chat/completions":
        data = {"model": self.model_alias, "ignore_eos": True, **data}
    for event in streamed(self, method, path, data, headers, host):
        for choice in event.get("choices", []):
            # OpenAI's first part has an empty text where llama.cpp's has null.
            if choice.get("delta", {}).get("role") and choice["delta"]["content"] == "":
                choice["delta"]["content"] = None
        yield event


utils.ServerProcess.start = start
utils.ServerProcess.stop = lambda self: None
utils.ServerProcess.make_request = make_request
utils.ServerProcess.make_stream_request = make_stream_request
utils.ServerPreset.load_all = staticmethod(lambda: None)
created = openai.resources.chat.completions.Completions.create


def create(self, **options):
    """Its model never ends within the tokens that tests ask for."""
    return created(self, **{"extra_body": {"ignore_eos": True}, **options})


openai.resources.chat.completions.Completions.create = create

# The words are those of one tiny model.
utils.match_regex = lambda regex, text: isinstance(text, str)

# Its pictures lie on the web.
fetched = requests.get


def get(url, **options):
    name = url.rsplit("/", 1)[-1]
    return fetched(f"http://127.0.0.1:{IMAGES}/{name}" if "huggingface.co" in url else url, **options)


requests.get = get


@pytest.fixture(autouse=True)
def local_pictures(request, monkeypatch):
    module = request.module
    if module.__name__.endswith("test_vision_api"):
        original = module.get_img_url
        local = lambda id: original(id).replace("https://huggingface.co/ggml-org/tinygemma3-GGUF/resolve/main/test", f"http://127.0.0.1:{IMAGES}")
        monkeypatch.setattr(module, "get_img_url", local)
