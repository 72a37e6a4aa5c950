"""Talks to anyturn through the unmodified official OpenAI client, and fails with what was not as OpenAI's API is.

Arguments: the base URL, and a mark that tells this run's tasks from others. OPENAI_API_KEY says who calls.
"""

import sys

from openai import NotFoundError, OpenAI

client = OpenAI(base_url=sys.argv[1] + "/v1")
mark = sys.argv[2]

models = {model.id for model in client.models.list()}
assert {"tasks", "chat"} <= models, models

# One shot: the messages are the whole conversation.
answer = client.chat.completions.create(
    model="tasks", messages=[{"role": "user", "content": f"add buy milk {mark} for tomorrow"}]
)
assert answer.object == "chat.completion" and answer.model == "tasks", answer
assert f"buy milk {mark}" in answer.choices[0].message.content, answer
assert answer.choices[0].finish_reason == "stop" and not answer.choices[0].message.tool_calls, answer
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0, answer

# Streamed, with usage at the end.
text, usage, finish = "", None, None
stream = client.chat.completions.create(
    model="tasks",
    messages=[{"role": "user", "content": "what is due tomorrow?"}],
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    assert chunk.object == "chat.completion.chunk", chunk
    usage = chunk.usage or usage
    for choice in chunk.choices:
        text += choice.delta.content or ""
        finish = choice.finish_reason or finish
assert f"buy milk {mark}" in text and finish == "stop" and usage.total_tokens > 0, (text, finish, usage)

# A named conversation: only its last message counts, the server remembers the rest.
for message in [f"add call the plumber {mark}", "what is on my list?"]:
    response = client.chat.completions.with_raw_response.create(
        model="tasks",
        messages=[{"role": "user", "content": message}],
        metadata={"session_id": f"from-python-{mark}"},
    )
    answer = response.parse()
assert f"plumber {mark}" in answer.choices[0].message.content, answer

# Errors arrive as the client's own exceptions.
try:
    client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "hi"}])
    raise AssertionError("an unknown model is an error")
except NotFoundError as error:
    assert error.code == "model_not_found", error

# For whoever started this, to delete it.
print(response.headers["anyturn-session"])
