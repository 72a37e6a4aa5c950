// What a conversation looks like: messages, tool cards, errors. Knows no server.

import { render } from "/markdown.js";

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

export function userMessage(text) {
  return make("article", { class: "message user", "aria-label": "You" }, make("div", { class: "body" }, text));
}

// An answer that grows: text arrives in pieces, tools start and finish.
export class Answer {
  #text = "";
  #frame = 0;
  #cards = new Map();

  constructor(assistant) {
    this.tools = make("div", { class: "tools" });
    this.body = make("div", { class: "body" });
    this.working = make("div", { class: "working", role: "img", "aria-label": "Working" }, make("i"), make("i"), make("i"));
    // Announced once it is complete, not token by token.
    this.node = make("article", { class: "message assistant", "aria-label": assistant, "aria-busy": "true" },
      this.tools, this.body, this.working);
  }

  append(text) {
    this.#text += text;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.body.replaceChildren(render(this.#text));
    });
  }

  toolStarted(call) {
    const state = make("span", { class: "state" }, "running…");
    const details = make("dl", {}, make("dt", {}, "Arguments"), make("dd", {}, make("pre", {}, pretty(call.arguments ?? {}))));
    const card = make("details", { class: "tool" },
      make("summary", {}, make("span", { class: "name" }, call.title ?? call.tool.replaceAll("_", " ")), state), details);
    this.#cards.set(call.id, { card, state, details });
    this.tools.append(card);
  }

  toolFinished(call) {
    if (!this.#cards.has(call.id)) this.toolStarted(call);
    const { card, state, details } = this.#cards.get(call.id);
    card.classList.toggle("failed", Boolean(call.is_error));
    state.textContent = call.is_error ? "failed" : "done";
    if (call.result != null) {
      details.append(make("dt", {}, "Result"), make("dd", {}, make("pre", {}, pretty(call.result))));
    }
  }

  // Ends it; with the final text where the server tells it, else with what has arrived.
  finish(text) {
    if (text != null) this.#text = text;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.body.replaceChildren(render(this.#text));
    this.working.remove();
    this.node.setAttribute("aria-busy", "false");
  }

  note(text) {
    this.node.append(make("p", { class: "note" }, text));
  }
}

export function failure(text, retry) {
  return make("div", { class: "error", role: "alert" }, text,
    retry && make("button", { type: "button", onclick: retry }, "Try again"));
}

export function welcome(assistant, send) {
  const suggestions = assistant?.suggestions ?? [];
  return make("div", { class: "welcome" },
    make("h1", {}, assistant?.title ?? "anyturn"),
    make("p", {}, assistant?.greeting ?? assistant?.description ?? ""),
    suggestions.length > 0 && make("div", { class: "suggestions" },
      ...suggestions.map((text) => make("button", { type: "button", onclick: () => send(text) }, text))) || null);
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

export function ago(time) {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return relative.format(0, "minute");
}
