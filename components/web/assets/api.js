// The server's native API, and server-sent events over fetch (EventSource cannot POST).

const TOKEN = "anyturn.token";

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (value) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

// A failed request: `status` is 0 when the server could not be reached.
export class Problem extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

async function request(method, path, { body, headers, signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      cache: "no-store",
      headers: {
        ...(body && { "content-type": "application/json" }),
        ...(token.get() && { authorization: `Bearer ${token.get()}` }),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new Problem(0, { detail: "The server cannot be reached." });
  }
  if (response.ok) return response;
  let problem = {};
  try {
    problem = await response.json();
  } catch { /* A proxy's error page, perhaps. */ }
  throw new Problem(response.status, problem, Number(response.headers.get("retry-after")) || undefined);
}

const json = async (...call) => (await request(...call)).json();
const segment = encodeURIComponent;

export const assistants = async () => (await json("GET", "/v1/assistants")).data;
export const sessions = async () => (await json("GET", "/v1/sessions?limit=100")).data;
export const session = (id) => json("GET", `/v1/sessions/${segment(id)}`);
export const deleteSession = (id) => request("DELETE", `/v1/sessions/${segment(id)}`);
export const stopTurn = (sessionId, turn) =>
  request("POST", `/v1/sessions/${segment(sessionId)}/turns/${segment(turn)}/stop`);
export const decide = (sessionId, gate, decision) =>
  json("POST", `/v1/sessions/${segment(sessionId)}/gates/${segment(gate)}`, { body: decision });
export const undo = (sessionId, call) => json("POST", `/v1/sessions/${segment(sessionId)}/undo`, { body: { call } });
export const fork = (sessionId, turnId) =>
  json("POST", `/v1/sessions/${segment(sessionId)}/fork`, { body: { turn: turnId, before: true } });

// Sends a message and yields the turn's events as `{id, event, data}`. The idempotency key makes it safe to
// send the same message again when the connection broke before the first event.
export async function* turn({ sessionId, assistant, message, key, signal }) {
  const path = sessionId ? `/v1/sessions/${segment(sessionId)}/turns` : `/v1/assistants/${segment(assistant)}/turns`;
  const response = await request("POST", path, {
    signal,
    headers: { accept: "text/event-stream", "idempotency-key": key },
    body: { message, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone },
  });
  yield* events(response.body);
}

// Yields the events of a turn that runs or ran, from the beginning or after the event that was heard last;
// `nothing` where nothing came or will come after that one.
export async function* attach({ sessionId, turnId, after, signal }) {
  const response = await request("GET", `/v1/sessions/${segment(sessionId)}/turns/${segment(turnId)}/events`, {
    signal,
    headers: { accept: "text/event-stream", ...(after && { "last-event-id": after }) },
  });
  if (response.status === 204) yield { id: after, event: "nothing", data: {} };
  else yield* events(response.body);
}

// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  let id = "";
  let event = "";
  let data = [];
  try {
    for (;;) {
      let chunk;
      try {
        chunk = await reader.read();
      } catch (cause) {
        if (cause.name === "AbortError") throw cause;
        return; // Cut off: whoever listens sees that the last event is missing.
      }
      const { done, value } = chunk;
      if (done) return;
      buffer += value;
      const lines = buffer.split(/\r\n|\n|\r(?!$)/);
      buffer = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length) yield { id, event: event || "message", data: JSON.parse(data.join("\n")) };
          event = "";
          data = [];
          continue;
        }
        const colon = line.indexOf(":");
        if (colon === 0) continue;
        const field = colon < 0 ? line : line.slice(0, colon);
        const content = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "id") id = content;
        else if (field === "event") event = content;
        else if (field === "data") data.push(content);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
