// What a conversation looks like: messages, tools, decisions, errors. Knows no server.

import { cards } from "/cards.js";
import { make } from "/make.js";
import { render } from "/markdown.js";

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

// `edit` is called with another text for the message, from which the conversation is to go on differently.
export function userMessage(text, edit) {
  const node = make("article", { class: "message user", "aria-label": "You" }, make("div", { class: "body" }, text));
  if (edit) node.prepend(make("button", { class: "edit plain", type: "button", onclick: () => editor(node, text, edit) }, "Edit"));
  return node;
}

function editor(node, text, edit) {
  const before = [...node.childNodes];
  const field = make("textarea", { "aria-label": "Your message", rows: 3 });
  field.value = text;
  const form = make("form", { class: "editor" }, field,
    make("menu", {},
      make("button", { class: "plain", type: "button", onclick: () => node.replaceChildren(...before) }, "Cancel"),
      make("button", { type: "submit" }, "Send as a new branch")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) edit(field.value.trim());
  });
  node.replaceChildren(form);
  field.focus();
}

// An answer that grows: text arrives in pieces, tools start and finish.
export class Answer {
  #text = "";
  #frame = 0;
  #cards = new Map();
  #gates = new Map();
  #shown = new Set();

  constructor(assistant) {
    this.progress = make("ul", { class: "progress", "aria-label": "Progress" });
    this.tools = make("div", { class: "tools" });
    this.cards = make("div", { class: "results" });
    this.body = make("div", { class: "body" });
    this.gates = make("div", { class: "gates" });
    this.working = make("div", { class: "working", role: "img", "aria-label": "Working" }, make("i"), make("i"), make("i"));
    // Announced once it is complete, not token by token.
    this.node = make("article", { class: "message assistant", "aria-label": assistant, "aria-busy": "true" },
      this.tools, this.cards, this.body, this.gates, this.progress, this.working);
  }

  append(text) {
    this.#text += text;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.body.replaceChildren(render(this.#text));
    });
  }

  // Another instance went on with the turn: what it says stands takes the place of the text so far.
  reset(text) {
    this.#text = "";
    this.append(text);
  }

  // Shows who is at what, one line for each, as long as the answer is not complete.
  progressed({ stage, agent, status }) {
    const who = agent ?? "";
    let line = [...this.progress.children].find((one) => one.dataset.agent === who);
    if (!line) this.progress.append(line = make("li", { "data-agent": who }));
    line.className = status;
    line.textContent = `${agent ? `${agent}: ` : ""}${(STAGES[stage] ?? stage)}${STATUSES[status] ?? ""}`;
  }

  toolStarted(call) {
    if (this.#cards.has(call.id)) return;
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
    const shown = call.is_error ? null : cards(call.result);
    if (shown && !this.#shown.has(call.id)) this.cards.append(shown);
    this.#shown.add(call.id);
  }

  // Shows a gate: with what it asks while it is open, with what was decided after that. `decide` is called
  // with a decision.
  gate(gate, decide) {
    this.#gates.get(gate.gate)?.remove();
    const card = gateCard(gate, decide);
    this.#gates.set(gate.gate, card);
    this.gates.append(card);
  }

  // It goes on after it had ended or waited.
  resume() {
    this.node.append(this.working);
    this.node.setAttribute("aria-busy", "true");
  }

  // Ends it; with the final text where the server tells it, else with what has arrived.
  finish(text) {
    if (text != null) this.#text = text;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.body.replaceChildren(render(this.#text));
    this.working.remove();
    this.progress.replaceChildren();
    this.node.setAttribute("aria-busy", "false");
  }

  note(text) {
    this.node.append(make("p", { class: "note" }, text));
  }
}

const STAGES = {
  understanding: "understanding what is asked",
  working: "at work",
  reassessing: "looking at what came back",
  updating: "putting it together",
};
const STATUSES = { started: "…", finished: ": done", waiting: ": waits for a decision", failed: ": failed" };

const LEVELS = { low: "Low risk", medium: "Medium risk", high: "High risk" };
const RISKS = {
  reads: "Changes nothing",
  changes: "Changes something",
  destroys: "May destroy or overwrite something",
};
const OUTCOMES = {
  approved: "Approved",
  denied: "Denied",
  expired: "Nobody decided in time: it was not done",
  dropped: "The conversation went on without it: it was not done",
};

function gateCard(gate, decide) {
  const exactly = make("pre", {}, pretty(gate.arguments));
  // Of many things, a list of names would push the question and the buttons off the screen.
  const many = gate.count > 1 ? make("details", {}, make("summary", {}, `Show all ${gate.count}`), exactly) : exactly;
  const facts = make("dl", {},
    make("dt", {}, "Exactly this would be done"), make("dd", {}, many),
    make("dt", {}, "Risk"),
    make("dd", {}, make("span", { class: `level ${gate.risk_level}` }, LEVELS[gate.risk_level] ?? "Risk"),
      ` ${RISKS[gate.risk] ?? gate.risk}${gate.reversible ? "; can be undone" : "; cannot be undone"}`));
  const card = make("section", { class: `gate ${gate.state}`, "aria-label": `Decision: ${gate.title}` },
    make("h3", {}, gate.question || gate.title), facts);
  if (gate.state !== "open") {
    const { by, comment } = gate.decided ?? {};
    const outcome = `${OUTCOMES[gate.state] ?? gate.state}${by ? ` by ${by}` : ""}${comment ? `: “${comment}”` : ""}`;
    card.append(make("p", { class: "outcome" }, outcome));
  } else if (gate.kind === "approve") {
    card.append(make("p", { class: "outcome" }, `Waits for somebody with the role “${gate.role}”.`));
  } else {
    card.append(gateForm(gate, decide));
  }
  return card;
}

function gateForm(gate, decide) {
  const always = make("input", { type: "checkbox" });
  const field = make("textarea", { "aria-label": "Arguments, as JSON", rows: 6, hidden: true, spellcheck: "false" });
  const problem = make("p", { class: "problem", role: "alert" });
  field.value = pretty(gate.arguments);
  const approve = async () => {
    let edited = {};
    try {
      if (!field.hidden) edited = { arguments: JSON.parse(field.value) };
    } catch (cause) {
      problem.textContent = `This is no JSON: ${cause.message}`;
      return;
    }
    await take({ decision: "approve", ...edited, ...(always.checked && { always: true }) });
  };
  const take = async (decision) => {
    form.inert = true;
    problem.textContent = "";
    try {
      await decide(decision);
    } catch (cause) {
      problem.textContent = cause.message;
      form.inert = false;
    }
  };
  const form = make("form", {}, field,
    gate.allow_always ? make("label", {}, always, " Always allow this tool in this conversation") : null,
    problem,
    make("menu", {},
      make("button", { type: "submit", class: "approve" }, "Approve"),
      make("button", { type: "button", class: "deny", onclick: () => take({ decision: "deny" }) }, "Deny"),
      make("button", { type: "button", class: "plain", onclick: () => { field.hidden = false; field.focus(); } }, "Edit…")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    approve();
  });
  return form;
}

// Offers to undo something until it is too late for it. Returns what takes the offer back.
export function offerUndo(place, title, until, undo) {
  const clock = make("span", { class: "clock" });
  const toast = make("div", { class: "toast", role: "status" }, make("span", {}, title),
    make("button", { type: "button", onclick: () => { close(); undo(); } }, "Undo"), clock,
    make("button", { type: "button", class: "plain", "aria-label": "Dismiss", onclick: () => close() }, "✕"));
  const tick = () => {
    const left = Math.ceil((Date.parse(until) - Date.now()) / 1000);
    if (left <= 0) return close();
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    clock.setAttribute("aria-hidden", "true");
  };
  const timer = setInterval(tick, 1000);
  const close = () => {
    clearInterval(timer);
    toast.remove();
  };
  place.replaceChildren(toast);
  tick();
  return close;
}

export function undoReport(report) {
  return report.items.map((item) => `${item.undone ? "✓" : "✗"} ${item.title}${item.text ? ` (${item.text})` : ""}`).join("\n\n");
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
