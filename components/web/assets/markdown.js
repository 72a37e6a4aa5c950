// Markdown to DOM nodes, for text that nobody vouches for: it makes elements and text nodes only, never HTML
// from strings, so that nothing in a message can run. Covers what models write: headings, lists, code, quotes,
// tables, emphasis, links to http(s) and mailto. Images become links: a message must not load anything.

const SAFE_LINK = /^(https?:\/\/|mailto:)/i;

export function render(markdown) {
  const fragment = document.createDocumentFragment();
  const lines = markdown.replace(/\r\n?/g, "\n").split("\n");
  blocks(lines, fragment);
  return fragment;
}

function element(tag, ...children) {
  const node = document.createElement(tag);
  node.append(...children);
  return node;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^( {0,6})([-*+]|\d{1,9}[.)])\s+(.*)$/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const DIVIDER = /^ {0,3}\|?( *:?-+:? *\|)+ *:?-*:? *$/;

function blocks(lines, parent) {
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const fence = line.match(FENCE);
    if (line.trim() === "") {
      at += 1;
    } else if (fence) {
      const code = [];
      at += 1;
      while (at < lines.length && !lines[at].trim().startsWith(fence[1])) code.push(lines[at++]);
      at += 1;
      parent.append(element("pre", element("code", code.join("\n"))));
    } else if (RULE.test(line)) {
      parent.append(element("hr"));
      at += 1;
    } else if (HEADING.test(line)) {
      const [, marks, text] = line.match(HEADING);
      // The page has its own first and second level.
      const heading = element(`h${Math.min(marks.length + 2, 6)}`);
      inline(text, heading);
      parent.append(heading);
      at += 1;
    } else if (/^ {0,3}>/.test(line)) {
      const quoted = [];
      while (at < lines.length && /^ {0,3}>/.test(lines[at])) quoted.push(lines[at++].replace(/^ {0,3}> ?/, ""));
      const quote = element("blockquote");
      blocks(quoted, quote);
      parent.append(quote);
    } else if (ITEM.test(line)) {
      at = list(lines, at, parent);
    } else if (line.includes("|") && at + 1 < lines.length && DIVIDER.test(lines[at + 1])) {
      at = table(lines, at, parent);
    } else {
      const text = [];
      while (at < lines.length && lines[at].trim() !== "" && !startsBlock(lines[at])) text.push(lines[at++]);
      if (text.length === 0) text.push(lines[at++]);
      const paragraph = element("p");
      inline(text.join("\n"), paragraph);
      parent.append(paragraph);
    }
  }
}

function startsBlock(line) {
  return FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || RULE.test(line) || /^ {0,3}>/.test(line);
}

function list(lines, at, parent) {
  const first = lines[at].match(ITEM);
  const indent = first[1].length;
  const ordered = /\d/.test(first[2]);
  const node = element(ordered ? "ol" : "ul");
  if (ordered) node.start = Number.parseInt(first[2], 10);
  while (at < lines.length) {
    const match = lines[at].match(ITEM);
    if (!match || match[1].length < indent || /\d/.test(match[2]) !== ordered) break;
    const content = [match[3]];
    const inner = match[0].length - match[3].length;
    at += 1;
    while (at < lines.length) {
      const next = lines[at];
      const deeper = next.match(ITEM);
      if (deeper ? deeper[1].length > indent : /^\s{2,}\S/.test(next)) {
        content.push(next.slice(Math.min(inner, next.search(/\S/))));
        at += 1;
      } else break;
    }
    const item = element("li");
    if (content.length === 1) inline(content[0], item);
    else {
      inline(content[0], item);
      blocks(content.slice(1), item);
    }
    node.append(item);
  }
  parent.append(node);
  return at;
}

function table(lines, at, parent) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const row = (line, tag) => {
    const tr = element("tr");
    for (const text of cells(line)) {
      const cell = element(tag);
      inline(text, cell);
      tr.append(cell);
    }
    return tr;
  };
  const body = element("tbody");
  const node = element("table", element("thead", row(lines[at], "th")), body);
  at += 2;
  while (at < lines.length && lines[at].includes("|")) body.append(row(lines[at++], "td"));
  parent.append(node);
  return at;
}

// In the order in which they are tried at each place; code first, because nothing inside it counts.
const INLINE = [
  [/^(`+)([^]*?[^`])\1(?!`)/, (m) => element("code", m[2].trim())],
  [/^\*\*([^\s*][^]*?)\*\*/, (m) => nested("strong", m[1])],
  [/^__([^\s_][^]*?)__/, (m) => nested("strong", m[1])],
  [/^\*([^\s*][^]*?)\*/, (m) => nested("em", m[1])],
  [/^_([^\s_][^]*?)_(?!\w)/, (m) => nested("em", m[1])],
  [/^~~([^]+?)~~/, (m) => nested("del", m[1])],
  [/^!?\[([^\]]*)\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)?)(?:\s+"[^"]*")?\)/, (m) => link(m[2], m[1] || m[2], m[0])],
  [/^<(https?:\/\/[^\s<>]+)>/i, (m) => link(m[1], m[1], m[0])],
  [/^https?:\/\/[^\s<>()]+[^\s<>().,;:!?'"]/i, (m) => link(m[0], m[0], m[0])],
  [/^\\([\\`*_{}[\]()#+\-.!|>~])/, (m) => document.createTextNode(m[1])],
  [/^(?: {2,}|\\)?\n/, () => element("br")],
];

function inline(text, parent) {
  let plain = "";
  const flush = () => {
    if (plain) parent.append(plain);
    plain = "";
  };
  let rest = text;
  while (rest) {
    const afterWord = /\w$/.test(plain);
    let matched = false;
    for (const [pattern, make] of INLINE) {
      const match = rest.match(pattern);
      if (!match || (afterWord && (match[0].startsWith("_") || /^https?:/i.test(match[0])))) continue;
      flush();
      parent.append(make(match));
      rest = rest.slice(match[0].length);
      matched = true;
      break;
    }
    if (!matched) {
      const next = rest.slice(1).search(/[`*_~!\[<\\\nh]/) + 1 || rest.length;
      plain += rest.slice(0, next);
      rest = rest.slice(next);
    }
  }
  flush();
}

function nested(tag, text) {
  const node = element(tag);
  inline(text, node);
  return node;
}

function link(address, text, source) {
  if (!SAFE_LINK.test(address)) return document.createTextNode(source);
  const node = element("a", text);
  node.href = address;
  node.rel = "noopener noreferrer nofollow";
  node.target = "_blank";
  return node;
}
