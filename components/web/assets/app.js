// The chat page: one conversation at a time, the list of the others, and what the keyboard does.

import * as api from "/api.js";
import { make } from "/make.js";
import { Answer, ago, failure, offerUndo, undoReport, userMessage, welcome } from "/view.js";

const $ = (id) => document.getElementById(id);
const log = $("log");
const box = $("message");

let assistants = [];
let current = null; // { id, assistant } of the conversation shown; null for a new one
let running = null; // { controller, session, turn } while a turn is listened to
let takeBackOffer = null; // takes back what is offered to be undone

// How often a connection is made again without an event in between: about a minute.
const RETRIES = 10;

const assistant = () => assistants.find((one) => one.name === (current?.assistant ?? $("assistant").value));

// ---- the conversation -------------------------------------------------------------------------------

function show(...nodes) {
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  log.append(...nodes);
  if (follow) log.scrollTop = log.scrollHeight;
}

// Changes what is shown, and stays at the end for somebody who was there.
function keepInView(change) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  change();
  if (atEnd) requestAnimationFrame(() => { log.scrollTop = log.scrollHeight; });
}

function blank() {
  current = null;
  takeBackOffer?.();
  $("assistant").disabled = false;
  log.replaceChildren(welcome(assistant(), send));
  history.replaceState(null, "", location.pathname);
  markCurrent();
  box.focus();
}

async function open(id) {
  let session;
  try {
    session = await api.session(id);
  } catch (problem) {
    if (problem.status === 404) {
      blank();
      say("That conversation is not there any more.");
      return refresh();
    }
    return report(problem, () => open(id));
  }
  running?.controller.abort();
  running = null;
  takeBackOffer?.();
  current = { id, assistant: session.assistant };
  $("assistant").value = session.assistant;
  $("assistant").disabled = true;
  history.replaceState(null, "", `#${id}`);
  log.replaceChildren();
  for (const turn of session.turns) showTurn(turn);
  log.scrollTop = log.scrollHeight;
  markCurrent();
  closeSidebar();
}

function showTurn(turn) {
  const answer = new Answer(assistant()?.title ?? "Assistant");
  show(userMessage(turn.input, (text) => branch(turn.turn, text)), answer.node);
  if (turn.state === "running" || turn.state === "queued") {
    // It goes on somewhere: listen from its beginning.
    follow(answer, { turn: turn.turn });
    return;
  }
  for (const call of turn.tool_calls ?? []) answer.toolFinished(call);
  for (const gate of turn.gates ?? []) showGate(answer, gate, turn.turn, null);
  answer.finish(turn.message?.content || (turn.undo && undoReport(turn.undo)) || "");
  ended(answer, turn);
}

// What a turn's end leaves to say and to offer.
function ended(answer, turn) {
  if (turn.state === "stopped") answer.note("Stopped.");
  else if (turn.state === "failed") show(failure(turn.error?.message ?? turn.error?.detail ?? "This turn failed."));
  const done = turn.tool_calls?.findLast((call) => call.undo && Date.parse(call.undo.until) > Date.now());
  if (done) {
    takeBackOffer?.();
    takeBackOffer = offerUndo($("offers"), done.undo.titles.join(", "), done.undo.until, () => undo(done.id));
  }
}

function showGate(answer, gate, turnId, after) {
  answer.gate(gate, async (decision) => {
    const outcome = await api.decide(current.id, gate.gate, decision);
    showGate(answer, outcome.gate ?? gate, turnId, after);
    if (!running && !outcome.waiting) follow(answer, { turn: turnId, after });
  });
}

async function send(text, key = crypto.randomUUID()) {
  text = text.trim();
  if (!text || running) return;
  if (!current) log.replaceChildren();
  takeBackOffer?.();
  const answer = new Answer(assistant()?.title ?? "Assistant");
  const message = userMessage(text);
  show(message, answer.node);
  log.scrollTop = log.scrollHeight;
  const name = $("assistant").value;
  await follow(answer, { begin: (signal) => api.turn({ sessionId: current?.id, assistant: name, message: text, key, signal }) });
}

// Listens to a turn until it ends or waits: to the one that `begin` starts, or to one that goes on already.
// A connection that breaks is made again, silently, from the last event that was heard.
async function follow(answer, { begin, turn = null, after = null }) {
  const controller = new AbortController();
  const session = () => current?.id;
  running = { controller, session: session(), turn };
  busy(true);
  answer.resume();
  if (turn && !after) answer.reset("");
  let waiting = false; // for decisions; the same stream may go on after that
  try {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const { signal } = controller;
        const events = turn ? api.attach({ sessionId: session(), turnId: turn, after, signal }) : begin(signal);
        for await (const { id, event, data } of events) {
          attempt = 0;
          say("Working…");
          after = id || after;
          if (event === "turn.started") {
            turn = data.turn;
            started(data);
          }
          waiting = event === "turn.waiting";
          if (hear(answer, event, data, turn, after)) return;
        }
        if (waiting) return;
      } catch (problem) {
        // With a key, or from an id on, asking again is safe; it is no use where the server has answered.
        if (problem.name === "AbortError" || problem.status || attempt >= RETRIES) throw problem;
      }
      if (attempt >= RETRIES) throw new api.Problem(0, { detail: "The connection is lost. The turn goes on at the server." });
      say("Reconnecting…");
      await new Promise((resolve) => setTimeout(resolve, Math.min(250 * 2 ** attempt, 8000)));
    }
  } catch (problem) {
    answer.finish();
    if (problem.name === "AbortError") return;
    report(problem, () => (turn ? open(session()) : follow(answer, { begin })));
    if (problem.status === 401) askForToken();
  } finally {
    if (running?.controller === controller) {
      running = null;
      busy(false);
      refresh();
    }
  }
}

// Shows an event; true for the last one of a turn.
function hear(answer, event, data, turn, after) {
  if (event === "nothing") {
    answer.finish();
    return true;
  }
  keepInView(() => {
    if (event === "turn.resumed") answer.reset(data.text);
    else if (event === "text.delta") answer.append(data.text);
    else if (event === "agent.progress") answer.progressed(data);
    else if (event === "tool.started") answer.toolStarted(data);
    else if (event === "tool.finished") answer.toolFinished(data);
    else if (event === "gate.opened" || event === "gate.decided") showGate(answer, data, turn, after);
  });
  if (!["turn.finished", "turn.failed", "turn.stopped", "turn.waiting"].includes(event)) return false;
  keepInView(() => {
    for (const gate of data.gates ?? []) showGate(answer, gate, turn, after);
    answer.finish(data.message?.content || (data.undo && undoReport(data.undo)) || undefined);
  });
  ended(answer, data);
  return event !== "turn.waiting";
}

function started({ session, turn, assistant: name }) {
  running.session = session;
  running.turn = turn;
  if (current) return;
  current = { id: session, assistant: name };
  $("assistant").disabled = true;
  history.replaceState(null, "", `#${session}`);
}

async function undo(call) {
  const answer = new Answer(assistant()?.title ?? "Assistant");
  show(answer.node);
  try {
    const turn = await api.undo(current.id, call);
    for (const gate of turn.gates ?? []) showGate(answer, gate, turn.turn, null);
    answer.finish(turn.message?.content || (turn.undo && undoReport(turn.undo)) || "");
    refresh();
  } catch (problem) {
    answer.node.remove();
    report(problem);
  }
}

// The conversation up to a turn, in a new one, which goes on with another message.
async function branch(turnId, text) {
  try {
    const { session } = await api.fork(current.id, turnId);
    await open(session);
    await send(text);
  } catch (problem) {
    report(problem);
  }
}

async function stop() {
  if (!running) return;
  const { controller, session, turn } = running;
  say("Stopping…");
  try {
    if (turn) await api.stopTurn(session, turn);
    else controller.abort();
  } catch {
    controller.abort();
  }
}

function report(problem, retry) {
  show(failure(problem.message, retry && (() => { log.querySelector(".error:last-child")?.remove(); retry(); })));
}

function say(text) {
  $("status").textContent = text;
}

function busy(is) {
  $("send").hidden = is;
  $("stop").hidden = !is;
  say(is ? "Working…" : "");
}

// ---- the list of conversations ----------------------------------------------------------------------

async function refresh() {
  let all;
  try {
    all = await api.sessions();
  } catch {
    return; // The list is a convenience; what the person is doing tells of the problem.
  }
  $("sessions").replaceChildren(...all.map((session) => make("li", { "data-id": session.id },
    make("button", { class: "open", type: "button", onclick: () => open(session.id) },
      make("span", {}, session.title || "Untitled"), make("span", { class: "when" }, ago(session.updated_at))),
    make("button", { class: "delete", type: "button", "aria-label": `Delete “${session.title || "Untitled"}”`,
      onclick: () => remove(session) }, "✕"))));
  if (all.length === 0) $("sessions").append(make("li", { class: "none" }, "None yet"));
  markCurrent();
}

function markCurrent() {
  for (const item of $("sessions").children) {
    if (item.dataset.id && item.dataset.id === current?.id) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
}

async function remove(session) {
  if (!confirm(`Delete “${session.title || "Untitled"}”? This cannot be undone.`)) return;
  try {
    await api.deleteSession(session.id);
  } catch (problem) {
    if (problem.status !== 404) return report(problem);
  }
  if (current?.id === session.id) blank();
  refresh();
}

function closeSidebar() {
  $("sidebar").classList.remove("open");
  $("open-sidebar").setAttribute("aria-expanded", "false");
}

// ---- settings ---------------------------------------------------------------------------------------

const THEMES = ["system", "light", "dark"];

function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Theme: ${theme}`;
  localStorage.setItem("anyturn.theme", theme);
}

function askForToken() {
  $("token").value = api.token.get();
  $("token-dialog").showModal();
}

// ---- wiring -----------------------------------------------------------------------------------------

function fit() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
}

function submit(event) {
  event?.preventDefault();
  if (running) return;
  const text = box.value;
  box.value = "";
  fit();
  send(text);
}

$("composer").addEventListener("submit", submit);
$("stop").addEventListener("click", stop);
$("new").addEventListener("click", () => {
  running?.controller.abort();
  running = null;
  busy(false);
  blank();
  closeSidebar();
});
$("assistant").addEventListener("change", blank);
box.addEventListener("input", fit);
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running && !$("token-dialog").open) stop();
  else if (event.key === "Escape") closeSidebar();
  else if (event.ctrlKey && event.shiftKey && event.key.toLowerCase() === "o") {
    event.preventDefault();
    $("new").click();
  }
});
$("open-sidebar").addEventListener("click", () => {
  $("sidebar").classList.add("open");
  $("open-sidebar").setAttribute("aria-expanded", "true");
  $("close-sidebar").focus();
});
$("close-sidebar").addEventListener("click", () => { closeSidebar(); $("open-sidebar").focus(); });
$("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "system";
  applyTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
});
$("sign-in").addEventListener("click", askForToken);
$("token-dialog").addEventListener("close", () => {
  // Chromium gives the focus back without a caret; a later focus() sets one only if the focus is new.
  document.activeElement?.blur();
  if ($("token-dialog").returnValue !== "save") return box.focus();
  api.token.set($("token").value.trim());
  start();
});
window.addEventListener("hashchange", () => {
  const id = location.hash.slice(1);
  if (id && id !== current?.id) open(id);
});

async function start() {
  applyTheme(localStorage.getItem("anyturn.theme") ?? "system");
  try {
    assistants = await api.assistants();
  } catch (problem) {
    log.replaceChildren();
    report(problem, start);
    if (problem.status === 401) askForToken();
    return;
  }
  $("assistant").replaceChildren(...assistants.map((one) => make("option", { value: one.name }, one.title ?? one.name)));
  const preferred = assistants.find((one) => one.name === "tasks");
  if (preferred) $("assistant").value = preferred.name;
  if (location.hash.length > 1) await open(location.hash.slice(1));
  else blank();
  // After that, because it takes a moment, in which somebody may have begun to talk already.
  await refresh();
}

start();
