// Results of tools that people would rather look at than read as JSON: e-mails, events, contacts, free times.
//
// A result is known by its shape, not by its tool: any server that returns such members gets the same cards. All of it
// was written by strangers, so it is put in as text: no markup, no addresses to click, no pictures to load.

import { make } from "/make.js";

// How many of a list are shown at first.
const SHOWN = 10;

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const text = (value) => (typeof value === "string" ? value : "");
const objects = (value) => (Array.isArray(value) ? value.filter(isObject) : []);

// The cards for a result; null where it has no such shape.
export function cards(result) {
  if (!isObject(result)) return null;
  const known = [
    [result.emails, email, "No e-mails"],
    [result.events, event, "No events"],
    [result.contacts, contact, "No contacts"],
    [result.slots, slot, "No free time"],
  ].find(([list]) => Array.isArray(list));
  if (known) return list(...known);
  const single = isObject(result.event) ? event(result.event)
    : isObject(result.contact) ? contact(result.contact)
    : isEmail(result) ? email(result)
    : null;
  return single && make("div", { class: "cards" }, single);
}

function list(all, show, none) {
  const items = objects(all);
  if (items.length === 0) return make("p", { class: "cards none" }, none);
  const node = make("ol", { class: "cards" }, ...items.slice(0, SHOWN).map((item) => make("li", {}, show(item))));
  const rest = items.slice(SHOWN);
  if (rest.length === 0) return node;
  const more = make("button", { type: "button", class: "plain", onclick: () => {
    more.remove();
    const added = rest.map((item) => make("li", { tabindex: -1 }, show(item)));
    node.append(...added);
    added[0].focus();
  } }, `Show ${rest.length} more`);
  return make("div", {}, node, more);
}

// ---- e-mails ----------------------------------------------------------------------------------------

const isEmail = (value) => "subject" in value && "from" in value && "body" in value;

function email(mail) {
  const lines = [];
  const to = people(mail.to);
  if (text(mail.body)) {
    if (to) lines.push(make("p", { class: "quiet" }, `To ${to}`));
    lines.push(make("p", { class: "letter" }, mail.body + (mail.body_is_complete === false ? "…" : "")));
  } else if (text(mail.snippet)) {
    lines.push(make("p", { class: "snippet" }, mail.snippet));
  }
  const files = objects(mail.attachments).map((file) => text(file.name)).filter(Boolean);
  if (files.length) lines.push(make("p", { class: "quiet" }, `Attached: ${files.join(", ")}`));
  return make("article", { class: `card email${mail.unread ? " unread" : ""}`, "aria-label": `E-mail: ${subject(mail)}` },
    make("header", {}, make("span", { class: "who" }, person(mail.from)), moment(mail.date, DAY_AND_TIME)),
    make("h4", {}, subject(mail), mail.unread ? make("span", { class: "visually-hidden" }, " (unread)") : null),
    ...lines);
}

const subject = (mail) => text(mail.subject).trim() || "(no subject)";

// ---- events -----------------------------------------------------------------------------------------

const ANSWERS = { invited: "not answered yet", tentative: "perhaps", declined: "declined" };

function event(event) {
  const title = text(event.title) || "(no title)";
  const guests = objects(event.guests).map((guest) => {
    const answer = ANSWERS[guest.answer];
    return person(guest) + (answer ? ` (${answer})` : "");
  });
  const more = (Number(event.guest_count) || 0) - guests.length;
  if (more > 0) guests.push(`${more} more`);
  return make("article", { class: "card event", "aria-label": `Event: ${title}` },
    make("header", {}, make("h4", {}, title), times(event)),
    guests.length ? make("p", {}, `With ${guests.join(", ")}`) : null,
    text(event.location) ? make("p", { class: "quiet" }, event.location) : null,
    text(event.description) ? make("p", { class: "letter" }, event.description) : null);
}

function slot({ start, end }) {
  return make("article", { class: "card event" }, make("header", {}, times({ start, end })));
}

function times({ start, end, all_day: allDay }) {
  if (allDay) {
    const last = end && end !== start ? ` – ${day(end)}` : "";
    return make("time", { datetime: text(start) }, `${day(start)}${last}, all day`);
  }
  const node = moment(start, DAY_AND_TIME);
  if (text(end)) node.append(` – ${wall(end, text(start).slice(0, 10) === end.slice(0, 10) ? TIME : DAY_AND_TIME)}`);
  return node;
}

// ---- contacts ---------------------------------------------------------------------------------------

function contact(contact) {
  const reach = [contact.addresses, contact.phones].flat().map(text).filter(Boolean);
  const work = [contact.title, contact.company].map(text).filter(Boolean).join(", ");
  return make("article", { class: "card contact", "aria-label": `Contact: ${person(contact)}` },
    make("h4", {}, person(contact)),
    work ? make("p", { class: "quiet" }, work) : null,
    reach.length ? make("p", {}, reach.join(" · ")) : null);
}

function person(one) {
  if (!isObject(one)) return text(one) || "somebody";
  return text(one.name) || text(one.email) || text(one.address) || text(one.addresses?.[0]) || "somebody";
}

const people = (list) => objects(list).map(person).join(", ");

// ---- times ------------------------------------------------------------------------------------------

// A tool tells times by the user's own clock, with its offset: what the clock says is shown, whatever this browser's
// time zone is.
const DAY = { weekday: "short", day: "numeric", month: "short" };
const TIME = { hour: "2-digit", minute: "2-digit" };
const DAY_AND_TIME = { ...DAY, ...TIME };

function wall(time, format) {
  const clock = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?/.exec(text(time))?.[0];
  const date = clock && new Date(clock.includes("T") ? `${clock}Z` : `${clock}T00:00:00Z`);
  if (!date || Number.isNaN(date.getTime())) return text(time);
  return new Intl.DateTimeFormat(undefined, { ...format, timeZone: "UTC" }).format(date);
}

const day = (date) => wall(date, DAY);
const moment = (time, format) => make("time", { datetime: text(time) }, wall(time, format));
