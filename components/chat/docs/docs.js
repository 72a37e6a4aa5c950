// Shows /openapi.json and lets one try it. No framework, no network but this server.

const TOKEN = "anyturn.token"; // shared with the chat page
const METHODS = ["get", "post", "put", "patch", "delete"];
const MAX_DEPTH = 6;

let api;

const make = (tag, properties = {}, ...children) => {
  const { dataset, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  Object.assign(node.dataset, dataset);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

// Text in which `code` is marked.
const prose = (text = "") =>
  text.split(/`([^`]+)`/).map((piece, i) => (i % 2 ? make("code", { textContent: piece }) : piece));

const resolve = (schema) => {
  if (!schema || typeof schema !== "object" || !schema.$ref) return schema ?? {};
  const target = schema.$ref.split("/").slice(1).reduce((at, key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], api);
  const { $ref, ...own } = schema;
  return { ...target, ...own };
};

// ---- schemas ----------------------------------------------------------------------------------------

const variants = (schema) => (schema.oneOf ?? schema.anyOf ?? []).filter((one) => resolve(one).type !== "null");

function typeOf(schema) {
  schema = resolve(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = variants(schema);
  if (choices.length && !schema.type) return choices.map(typeOf).join(" | ");
  const types = [schema.type ?? "any"].flat().filter((type) => type !== "null");
  return types.map((type) => (type === "array" ? `list of ${typeOf(schema.items)}` : type)).join(" | ")
    + (schema.format && schema.type !== "integer" ? ` (${schema.format})` : "");
}

function describe(schema, depth = 0) {
  schema = resolve(schema);
  if (depth > MAX_DEPTH) return null;
  const inner = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const whole = resolve(property);
    inner.push(make("li", {},
      make("code", { textContent: name }), " ",
      make("span", { className: "soft", textContent: typeOf(property) + (schema.required?.includes(name) ? ", required" : "") }),
      " ", ...prose(whole.description), describe(property, depth + 1)));
  }
  for (const choice of variants(schema)) {
    const nested = describe(choice, depth + 1);
    if (nested) inner.push(make("li", {}, make("span", { className: "soft", textContent: "either: " }), ...prose(resolve(choice).description), nested));
  }
  if (schema.items) {
    const nested = describe(schema.items, depth + 1);
    if (nested) return nested;
  }
  return inner.length ? make("ul", { className: "schema" }, ...inner) : null;
}

// A value that fits a schema: what is required, and an example where there is one.
function example(schema, depth = 0) {
  schema = resolve(schema);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const [choice] = variants(schema);
  if (choice && !schema.properties) return example(choice, depth + 1);
  const [type] = [schema.type].flat();
  if (type === "object" || schema.properties) {
    const value = {};
    if (depth > MAX_DEPTH) return value;
    for (const name of schema.required ?? []) value[name] = example(schema.properties?.[name], depth + 1);
    return value;
  }
  if (type === "array") return depth > MAX_DEPTH ? [] : [example(schema.items, depth + 1)];
  return { string: "", integer: 0, number: 0, boolean: false }[type] ?? null;
}

const EXAMPLES = {
  beginSession: { message: "Hello!", timezone: Intl.DateTimeFormat().resolvedOptions().timeZone },
  continueSession: { message: "And then?" },
  createChatCompletion: { model: "chat", messages: [{ role: "user", content: "Hello!" }] },
};

// ---- trying -----------------------------------------------------------------------------------------

function form(method, path, operation, parameters) {
  const fields = parameters.map((parameter) => {
    const id = `${operation.operationId}-${parameter.name}`;
    const input = make("input", { id, name: parameter.name, required: parameter.required && parameter.in === "path" });
    return { parameter, input, row: make("div", { className: "field" },
      make("label", { htmlFor: id }, make("code", { textContent: parameter.name }), make("span", { className: "soft", textContent: ` ${parameter.in}` })),
      make("div", {}, input, make("small", { className: "soft" }, ...prose(parameter.description)))) };
  });
  const content = operation.requestBody?.content?.["application/json"];
  const bodyId = `${operation.operationId}-body`;
  const body = content && make("textarea", { id: bodyId, spellcheck: false,
    value: JSON.stringify(EXAMPLES[operation.operationId] ?? example(content.schema), null, 2) });
  const streams = Object.values(operation.responses).some((answer) => answer.content?.["text/event-stream"]) && !path.startsWith("/v1/chat");
  const events = streams && make("input", { type: "checkbox", id: `${operation.operationId}-events` });
  const output = make("div", { role: "status" });
  const stop = make("button", { type: "button", className: "plain", textContent: "Stop listening", hidden: true });
  const node = make("form", {},
    ...fields.map(({ row }) => row),
    body ? make("div", { className: "field" }, make("label", { htmlFor: bodyId, textContent: "Body (JSON)" }), body) : null,
    events ? make("div", { className: "field" }, make("label", { htmlFor: events.id, textContent: "As events" }), make("div", {}, events)) : null,
    make("p", {}, make("button", { textContent: "Send" }), " ", stop), output);

  let controller;
  stop.addEventListener("click", () => controller?.abort());
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    controller?.abort();
    controller = new AbortController();
    stop.hidden = false;
    try {
      await send(request(method, path, fields, body?.value, events?.checked, controller.signal), output);
    } catch (error) {
      if (error.name !== "AbortError") output.replaceChildren(make("p", { textContent: `No answer: ${error.message}` }));
    } finally {
      stop.hidden = true;
    }
  });
  return node;
}

function request(method, path, fields, body, events, signal) {
  const headers = {};
  const query = new URLSearchParams();
  for (const { parameter, input } of fields) {
    if (!input.value) continue;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "query") query.append(parameter.name, input.value);
    else if (parameter.in === "header") headers[parameter.name] = input.value;
  }
  const token = document.getElementById("token").value;
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  if (events) headers.accept = "text/event-stream";
  const address = query.size ? `${path}?${query}` : path;
  return new Request(address, { method: method.toUpperCase(), headers, body, signal });
}

async function send(outgoing, output) {
  const begun = performance.now();
  const response = await fetch(outgoing);
  const line = make("p", {}, make("strong", { textContent: `${response.status} ${response.statusText}` }),
    make("span", { className: "soft", textContent: ` after ${Math.round(performance.now() - begun)} ms` }));
  const headers = make("details", {}, make("summary", { textContent: "Headers" }),
    make("pre", { textContent: [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n") }));
  const text = make("pre");
  output.replaceChildren(line, headers, text);
  if (response.headers.get("content-type")?.includes("json")) {
    const raw = await response.text();
    try {
      text.textContent = JSON.stringify(JSON.parse(raw), null, 2);
    } catch {
      text.textContent = raw;
    }
    return;
  }
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) text.append(read.value);
}

// ---- the page ---------------------------------------------------------------------------------------

function show(method, path, operation, shared) {
  const parameters = [...(shared ?? []), ...(operation.parameters ?? [])].map(resolve);
  const content = operation.requestBody?.content?.["application/json"];
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    answer = resolve(answer);
    const schemas = Object.entries(answer.content ?? {}).map(([type, { schema }]) => {
      const shown = describe(schema?.contentSchema ?? schema ?? {});
      return make("details", {}, make("summary", {}, make("code", { textContent: type })), shown ?? make("p", { className: "soft", textContent: typeOf(schema ?? {}) }));
    });
    return make("div", {}, make("strong", { textContent: status }), " ", ...prose(answer.description), ...schemas);
  });
  const inside = make("div");
  const node = make("details", { className: "operation", id: operation.operationId },
    make("summary", {}, make("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
      make("code", { textContent: path }), make("span", { textContent: operation.summary ?? "" })),
    inside);
  // What is not looked at is not built.
  node.addEventListener("toggle", () => {
    inside.append(...(operation.description ?? "").split("\n\n").filter(Boolean).map((text) => make("p", {}, ...prose(text))));
    if (content) inside.append(make("h3", { textContent: "Body" }), describe(content.schema) ?? "");
    inside.append(make("h3", { textContent: "Answers" }), ...answers);
    inside.append(make("h3", { textContent: "Try it" }), form(method, path, operation, parameters));
  }, { once: true });
  return node;
}

function render() {
  const tags = api.tags.map((tag) => ({ ...tag, operations: [] }));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = item[method];
      const tag = tags.find((one) => one.name === operation.tags?.[0]) ?? tags.at(-1);
      tag.operations.push(show(method, path, operation, item.parameters));
    }
  }
  const main = document.getElementById("operations");
  main.replaceChildren(...api.info.description.split("\n\n").map((text) => make("p", {}, ...prose(text))));
  for (const tag of tags.filter(({ operations }) => operations.length)) {
    main.append(make("section", { id: tag.name }, make("h2", { textContent: tag.name }), make("p", { className: "soft", textContent: tag.description }), ...tag.operations));
  }
  document.getElementById("contents").replaceChildren(make("ul", {}, ...tags.filter(({ operations }) => operations.length)
    .map((tag) => make("li", {}, make("a", { href: `#${tag.name}`, textContent: tag.name })))));
  const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (wanted instanceof HTMLDetailsElement) wanted.open = true;
  wanted?.scrollIntoView();
}

const token = document.getElementById("token");
token.value = sessionStorage.getItem(TOKEN) ?? "";
token.addEventListener("input", () => (token.value ? sessionStorage.setItem(TOKEN, token.value) : sessionStorage.removeItem(TOKEN)));
try {
  api = await (await fetch("/openapi.json")).json();
  render();
} catch (error) {
  document.getElementById("operations").replaceChildren(make("p", { textContent: `The description cannot be shown: ${error.message}` }));
}
