"""
A pytest plugin that has llama.cpp's tests of its server (tools/server/tests) ask `llava serve`: check-llama-cpp-suite.ts runs it.

The servers are running already, at the ports LLAVA_PORT (open), LLAVA_KEYED_PORT (with the suite's key) and LLAVA_PLAIN_PORT (a
context of 256 tokens, one name, origins that may ask). Tests are told in llama.cpp's words what was asked in others': /completion
is /v1/completions, what /slots and /metrics tell is of /metrics here, and of preflights the headers are compared. Counts of
tokens and words of its tiny model are not compared. Each test that cannot be asked is skipped with its reason.
"""

import os

import openai
import pytest
import requests
import utils

OPEN, KEYED, PLAIN, IMAGES = (int(os.environ[f"LLAVA_{name}PORT"]) for name in ("", "KEYED_", "PLAIN_", "IMAGES_"))
CONTEXT = {OPEN: 2048, KEYED: 2048, PLAIN: 256}

# What these ask for is said by flags of their server: a context, origins, a single name.
PLAINS = {
    "test_server_models",
    "test_cors_options",
    "test_cors_origins_localhost_reflects",
    "test_cors_origins_localhost_rejects",
    "test_nocache_long_input_prompt",
    "test_completion_unified",
    "test_ctx_shift_disabled_short_prompt",
}

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
ORIGINS = "answers name the methods and headers of this server, and no credentials"
SLOTS = "there are no slots here, and no route that tells of them"
TEMPLATE = "a model's own template is used, not one named by a flag"
EMBED = "the models here make no embeddings"
FILE = "no path is opened for a client, whatever a flag says"
GBNF = "grammars are Lark's here, not GBNF"

SKIPS = {
    "test_server_multiple_addresses": "one address is listened at",
    "test_server_props": OWN,
    "test_server_slots": SLOTS,
    "test_no_ui": "asks two servers at one port",
    "test_load_split_model": "the model is one of its authors' on the web",
    "test_server_model_aliases_and_tags": OWN,
    "test_access_static_assets_without_api_key": "the page here has other files",
    "test_cors_origins_defaults_to_localhost_with_tools_enabled": "there are no tools here, and no origin may ask unless it is named",
    "test_cors_proxy_only_forwards_explicit_proxy_headers": "nothing is forwarded here",
    "test_chat_completion_cached_tokens": "counts tokens of one tiny model",
    "test_chat_template": TEMPLATE,
    "test_chat_template_assistant_prefill": TEMPLATE,
    "test_chat_template_continue_final_message_vllm_compat": TEMPLATE,
    "test_apply_chat_template": TEMPLATE,
    "test_completion_with_grammar": GBNF,
    "test_chat_completion_with_timings_per_token": OWN,
    "test_context_size_exceeded": "puts system messages between others, for which the models' templates have no place",
    "test_context_size_exceeded_stream": "puts system messages between others, for which the models' templates have no place",
    "test_return_progress": OWN,
    "test_verbose_debug": OWN,
    "test_completion_response_fields": OWN,
    "test_completion_stream_with_openai_library_stops": "the model is one of its authors' on the web",
    "test_json_prompt_mtm_error_when_not_supported": "every model here sees images",
    "test_n_probs": "ids are no part of OpenAI's log probabilities",
    "test_n_probs_stream": "ids are no part of OpenAI's log probabilities",
    "test_n_probs_post_sampling": OWN,
    "test_n_probs_post_backend_sampling": OWN,
    "test_completion_with_lora": OWN,
    "test_completion_prompt_cache": "counts tokens of one tiny model",
    "test_responses_stream_with_llama_telemetry": OWN,
    "test_vision_embeddings": EMBED,
    "test_vision_embeddings_oai_content": EMBED,
    "test_metrics_disabled": "there is no flag against metrics here",
    "test_metrics_prometheus_format": "counts drafts of speculative decoding, which is not done here",
    "test_metrics_generation_rate_excludes_first_token": OWN,
    "test_metrics_timings_are_finite": OWN,
    "test_metrics_timings_on_prompt_progress": OWN,
    "test_metrics_embedding_prompt_is_counted": EMBED,
    "test_ignore_eos_populates_logit_bias": OWN,
    "test_ignore_eos_false_no_logit_bias": OWN,
    "test_ctx_shift_enabled": "what does not fit the context is refused, not forgotten",
    "test_ctx_shift_disabled_long_prompt": "compares the words of an error",
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
    if item.originalname == "test_cors_options" and params["cors_header"] != "Access-Control-Allow-Origin":
        return ORIGINS
    return SKIPS.get(item.originalname)


def pytest_ignore_collect(collection_path):
    name = collection_path.name
    return True if name.startswith("test_") and name not in FILES else None


def pytest_collection_modifyitems(items):
    for item in items:
        # llama.cpp skips it because its answers with and without its cache differ.
        if item.originalname == "test_cache_vs_nocache_prompt":
            item.own_markers = [mark for mark in item.own_markers if mark.name != "skip"]
        for name in ("n_prompt",) if item.originalname != "test_ctx_shift_disabled_short_prompt" else ("n_token_output",):
            if name in getattr(getattr(item, "callspec", None), "params", {}):
                item.callspec.params[name] = Anything()
        reason = skip_reason(item)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


running = {"test": None}


@pytest.fixture(autouse=True)
def name_of_test(request):
    running["test"] = request.node.originalname


def start(self, timeout_seconds=0):
    self.server_port = PLAIN if running["test"] in PLAINS else KEYED if self.api_key else OPEN
    self.counted = metrics_of(self) if self.server_metrics else {}


fetched = requests.get
asked, streamed = utils.ServerProcess.make_request, utils.ServerProcess.make_stream_request
native = ("/completion", "/completions")


def plain_prompt(server, prompt):
    """Images stand at <image> here, and a prompt is a text or ids, not both in one."""
    if isinstance(prompt, dict):
        return {**prompt, "prompt_string": prompt["prompt_string"].replace("<__media__>", "<image>")}
    if isinstance(prompt, list) and not any(isinstance(part, int) for part in prompt):
        return [plain_prompt(server, part) for part in prompt]
    if isinstance(prompt, list) and any(isinstance(part, str) for part in prompt):
        ids = ([part] if isinstance(part, int) else tokens_of(server, part) for part in prompt)
        return [each for part in ids for each in part]
    return prompt


def tokens_of(server, text):
    return asked(server, "POST", "/tokenize", {"content": text}).body["tokens"]


def metrics_of(server):
    """Sums over a server's models, by llama.cpp's names."""
    sums = {}
    for line in fetched(server.make_url("/metrics")).text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            name = name.split("{")[0].removeprefix("llava:")
            sums[name] = sums.get(name, 0) + float(value)
    cached = sums.get("prefix_cache_hits_total", 0)
    return {
        "prompt_tokens_total": sums.get("prompt_tokens_total", 0) - cached,
        "prompt_tokens_cached_total": cached,
        "tokens_predicted_total": sums.get("generation_tokens_total", 0),
        "requests_processing": sums.get("num_requests_running", 0),
    }


def metrics_text(server):
    """llama.cpp's server is started anew for each test: what was counted before it is taken off."""
    counted = {name: value - server.counted.get(name, 0) for name, value in metrics_of(server).items()}
    return "".join(f"# TYPE llamacpp:{name} counter\nllamacpp:{name} {value}\n" for name, value in counted.items())


def completion_body(server, data):
    prompt = plain_prompt(server, data.get("prompt"))
    body = {"temperature": server.temperature, "seed": server.seed, **data, "prompt": prompt}
    body["max_tokens"] = data.get("n_predict", server.n_predict or 64)
    biases = data.get("logit_bias")
    if isinstance(biases, list):
        body["logit_bias"] = {str(token): bias for token, bias in biases}
    return {"ignore_eos": True, **body}


def completion_answer(server, body, choice):
    usage = body["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return {
        "content": choice["text"],
        "truncated": usage["total_tokens"] >= CONTEXT[server.server_port],
        "has_new_line": "\n" in choice["text"],
        "stop_type": "limit" if choice["finish_reason"] == "length" else "eos",
        "tokens": [],
        "timings": {"prompt_n": usage["prompt_tokens"] - cached, "cache_n": cached, "predicted_n": usage["completion_tokens"]},
    }


def with_tokens(server, answer):
    """llama.cpp tells ids of an answer; here they are asked for."""
    answer["tokens"] = tokens_of(server, answer["content"])
    return answer


def answer_of(body):
    answer = utils.ServerResponse()
    answer.status_code, answer.headers, answer.body = 200, {}, body
    return answer


def make_request(self, method, path, data=None, headers=None, timeout=600, host=None):
    if method == "POST" and path in native and isinstance(data, dict):
        result = asked(self, method, "/v1/completions", completion_body(self, data), headers, timeout, host)
        if result.status_code == 200:
            several = len(result.body["choices"]) > 1
            answers = [completion_answer(self, result.body, choice) for choice in result.body["choices"]]
            if data.get("return_tokens"):
                answers = [with_tokens(self, answer) for answer in answers]
            result.body = answers if several else answers[0]
        return result
    if method == "POST" and path == "/chat/completions" and isinstance(data, dict):
        data = {"ignore_eos": True, "temperature": self.temperature, "seed": self.seed, **data}
    if path == "/slots":
        busy = metrics_of(self)["requests_processing"]
        return answer_of([{"is_processing": busy > 0}])
    result = asked(self, method, path, data, headers, timeout, host)
    if path == "/metrics":
        result.body = metrics_text(self)
        result.headers["Process-Start-Time-Unix"] = ""
    if method == "OPTIONS" and result.status_code in (204, 403):
        result.status_code = 200
        result.headers = {name.title(): value for name, value in result.headers.items()}
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
                yield {**completion_answer(self, event, {**ended, "text": ""}), "stop": True, "generation_settings": settings}
        return
    if path == "/chat/completions":
        data = {"model": self.model_alias, "ignore_eos": True, **data}
    for event in streamed(self, method, path, data, headers, host):
        for choice in event.get("choices", []):
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
    answer = created(self, **{"extra_body": {"ignore_eos": True}, **options})
    return with_null_first(answer) if options.get("stream") else answer


def with_null_first(stream):
    """OpenAI's first part has an empty text where llama.cpp's has null."""
    for part in stream:
        if part.choices and part.choices[0].delta.role and part.choices[0].delta.content == "":
            part.choices[0].delta.content = None
        yield part


openai.resources.chat.completions.Completions.create = create

# The words are those of one tiny model.
utils.match_regex = lambda regex, text: isinstance(text, str)


# Its pictures lie on the web.
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
