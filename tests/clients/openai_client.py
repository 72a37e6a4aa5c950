"""Talks to anyturn through the unmodified official OpenAI client, and fails with what was not as OpenAI's API is."""

import sys

from openai import NotFoundError, OpenAI

client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused-in-development")

models = {model.id for model in client.models.list()}
assert {"tasks", "chat"} <= models, models

# One shot: the messages are the whole conversation.
answer = client.chat.completions.create(
    model="tasks", messages=[{"role": "user", "content": "add buy milk for tomorrow"}]
)
assert answer.object == "chat.completion" and answer.model == "tasks", answer
assert "buy milk" in answer.choices[0].message.content, answer
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
assert "buy milk" in text and finish == "stop" and usage.total_tokens > 0, (text, finish, usage)

# A named conversation: only its last message counts, the server remembers the rest.
for message in ["add call the plumber", "what is on my list?"]:
    answer = client.chat.completions.create(
        model="tasks",
        messages=[{"role": "user", "content": message}],
        metadata={"session_id": "from-python"},
    )
assert "plumber" in answer.choices[0].message.content, answer

# Errors arrive as the client's own exceptions.
try:
    client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "hi"}])
    raise AssertionError("an unknown model is an error")
except NotFoundError as error:
    assert error.code == "model_not_found", error

print("openai client: all good")
