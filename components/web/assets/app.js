// The chat page: one conversation at a time, the list of the others, and what the keyboard does.

import * as api from "/api.js";
import { Answer, ago, failure, make, userMessage, welcome } from "/view.js";

const $ = (id) => document.getElementById(id);
const log = $("log");
const box = $("message");

let assistants = [];
let current = null; // { id, assistant } of the conversation shown; null for a new one
let running = null; // { controller, session, turn } while a turn runs here

const assistant = () => assistants.find((one) => one.name === (current?.assistant ?? $("assistant").value));

// ---- the conversation -------------------------------------------------------------------------------

function show(...nodes) {
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  log.append(...nodes);
  if (follow) log.scrollTop = log.scrollHeight;
}

function keepInView() {
  if (log.scrollHeight - log.scrollTop - log.clientHeight < 120) log.scrollTop = log.scrollHeight;
}

function blank() {
  current = null;
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
  show(userMessage(turn.input), answer.node);
  for (const call of turn.tool_calls ?? []) answer.toolFinished(call);
  answer.finish(turn.message?.content ?? "");
  if (turn.state !== "finished") answer.note(turn.error?.message ?? turn.error?.detail ?? `This turn ${turn.state}.`);
}

async function send(text, key = crypto.randomUUID()) {
  text = text.trim();
  if (!text || running) return;
  if (!current) log.replaceChildren();
  const answer = new Answer(assistant()?.title ?? "Assistant");
  show(userMessage(text), answer.node);
  log.scrollTop = log.scrollHeight;
  const controller = new AbortController();
  running = { controller, session: current?.id, turn: null };
  busy(true);
  let done = false;
  try {
    const events = api.turn({
      sessionId: current?.id, assistant: $("assistant").value, message: text, key, signal: controller.signal,
    });
    for await (const { event, data } of events) {
      if (event === "turn.started") started(data);
      else if (event === "text.delta") answer.append(data.text);
      else if (event === "tool.started") answer.toolStarted(data);
      else if (event === "tool.finished") answer.toolFinished(data);
      else if (event === "turn.finished" || event === "turn.failed") {
        done = true;
        answer.finish(data.message?.content);
        if (data.error) show(failure(data.error.message ?? data.error.detail ?? "This turn failed."));
        else if (data.state === "stopped") answer.note("Stopped.");
      }
      keepInView();
    }
    if (!done) throw new api.Problem(0, { detail: "The connection was lost. The turn goes on at the server." });
  } catch (problem) {
    answer.finish();
    if (problem.name === "AbortError") answer.note("Stopped.");
    else if (!problem.status && current) report(problem, () => open(current.id));
    else {
      // With the same key the server answers for the same turn instead of doing it twice.
      report(problem, () => send(text, key));
      if (problem.status === 401) askForToken();
    }
  } finally {
    running = null;
    busy(false);
    refresh();
  }
}

function started({ session, turn, assistant: name }) {
  running.session = session;
  running.turn = turn;
  if (current) return;
  current = { id: session, assistant: name };
  $("assistant").disabled = true;
  history.replaceState(null, "", `#${session}`);
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
$("new").addEventListener("click", () => { running?.controller.abort(); blank(); closeSidebar(); });
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
  if ($("token-dialog").returnValue !== "save") return;
  api.token.set($("token").value.trim());
  start();
});
window.addEventListener("hashchange", () => location.hash.length > 1 && open(location.hash.slice(1)));

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
  await refresh();
  if (location.hash.length > 1) await open(location.hash.slice(1));
  else blank();
}

start();
