"""
Asks `llava serve` by OpenAI's Python client, as check-clients.ts has its clients ask: a line for each check, and the status 1
after a failure.

    python openai_client.py URL IMAGE_URL PICTURE_FILE
"""

import base64
import json
import sys
import time
import urllib.request

import openai

url, image_url, picture = sys.argv[1:]
with open(picture, "rb") as file:
    data_url = "data:image/png;base64," + base64.b64encode(file.read()).decode()
client = openai.OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0)
MODEL = "llava"
failures = 0


def check(name):
    def run(test):
        global failures
        try:
            test()
            print(f"ok      openai {openai.__version__} (Python): {name}")
        except Exception as error:
            failures += 1
            print(f"FAILED  openai {openai.__version__} (Python): {name}: {type(error).__name__} {error}")

    return run


def seeing(address):
    return [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": address}},
            ],
        }
    ]


def ask(messages, **options):
    return client.chat.completions.create(model=MODEL, messages=messages, temperature=0, max_tokens=12, **options)


@check("a text, whole and streamed")
def _():
    messages = [{"role": "user", "content": "Hi"}]
    whole = ask(messages)
    parts = list(ask(messages, stream=True, stream_options={"include_usage": True}))
    streamed = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert streamed == whole.choices[0].message.content
    assert parts[-1].usage.total_tokens == whole.usage.total_tokens


@check("a picture by data: and by http:")
def _():
    one, other = ask(seeing(data_url)), ask(seeing(image_url))
    assert one.choices[0].message.content == other.choices[0].message.content
    assert one.usage.prompt_tokens == other.usage.prompt_tokens
    assert one.usage.prompt_tokens > ask([{"role": "user", "content": "What is it?"}]).usage.prompt_tokens


@check("responses, whole and streamed")
def _():
    content = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": data_url, "detail": "auto"},
    ]
    asked = {
        "model": MODEL,
        "instructions": "Be short.",
        "input": [{"role": "user", "content": content}],
        "temperature": 0,
        "max_output_tokens": 12,
    }
    whole = client.responses.create(**asked)
    # Its stream knows an end by response.completed alone, which is that of an answer that is not cut.
    final = list(client.responses.create(**asked, stream=True))[-1].response
    assert final.output_text == whole.output_text
    assert final.usage.total_tokens == whole.usage.total_tokens


@check("a second turn, after what the system says")
def _():
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    first = ask(messages).choices[0].message
    assert ask([*messages, first, {"role": "user", "content": "And?"}]).usage.prompt_tokens_details.cached_tokens > 0


@check("JSON of a schema")
def _():
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["photo", "drawing"]}, "sharp": {"type": "boolean"}},
        "required": ["kind", "sharp"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=MODEL,
        messages=seeing(data_url),
        max_tokens=100,
        response_format={"type": "json_schema", "json_schema": {"name": "seen", "schema": schema, "strict": True}},
    )
    assert json.loads(answer.choices[0].message.content)["kind"] in ("photo", "drawing")


@check("leaving ends the work")
def _():
    stream = ask([{"role": "user", "content": "Hi"}], stream=True, extra_body={"ignore_eos": True, "max_tokens": 1500})
    next(iter(stream))
    stream.close()
    for _ in range(40):
        with urllib.request.urlopen(urllib.request.Request(f"{url}/metrics", headers={"x-api-key": "key"})) as answer:
            metrics = answer.read().decode()
        lines = [line for line in metrics.splitlines() if line.startswith("llava:num_requests_running")]
        if all(line.endswith(" 0") for line in lines):
            return
        time.sleep(0.05)
    raise AssertionError("the answer is still under way")


@check("errors have their classes")
def _():
    for error, status, asking in [
        (openai.AuthenticationError, 401, lambda: client.with_options(api_key="other").models.list()),
        (openai.NotFoundError, 404, lambda: client.chat.completions.create(model="other", messages=seeing(data_url))),
        (openai.BadRequestError, 400, lambda: ask(seeing("data:image/png;base64,AAAA"))),
        (openai.BadRequestError, 400, lambda: ask([{"role": "user", "content": "x " * 5000}])),
    ]:
        try:
            asking()
        except error as told:
            assert told.status_code == status and told.code, told
        else:
            raise AssertionError(f"no {error.__name__}")


sys.exit(1 if failures else 0)
