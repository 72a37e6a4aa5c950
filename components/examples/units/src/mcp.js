// The Model Context Protocol: revision 2026-07-28, in which every request stands for itself, and 2025-11-25, whose
// handshake is answered and forgotten. So nothing is kept between requests, and a fresh instance can take each.

import { call, TOOL } from "./tool.js";

const STATELESS = "2026-07-28";
const HANDSHAKE = "2025-11-25";
const SERVER = { name: "units", title: "Units", version: "0.1.0" };
const CAPABILITIES = { tools: {} };
const VERSION_KEY = "io.modelcontextprotocol/protocolVersion";
/** What clients may keep, for five minutes and for anybody. */
const CACHE = { ttlMs: 300_000, cacheScope: "public" };

/** Answers the body of a POST to /mcp: a status, and a message or nothing. */
export function answer(body) {
  let message;
  try {
    message = JSON.parse(body);
  } catch (error) {
    return failure(400, null, -32700, `Parse error: ${error.message}`);
  }
  if (message?.jsonrpc !== "2.0" || typeof message.method !== "string") {
    return failure(400, null, -32600, "Invalid request: not one JSON-RPC message");
  }
  const { id, method, params = {} } = message;
  if (id === undefined) {
    return { status: 202 };
  }
  const version = params._meta?.[VERSION_KEY];
  if (version !== undefined && version !== STATELESS) {
    const data = { supported: [STATELESS, HANDSHAKE], requested: version };
    return failure(400, id, -32022, "Unsupported protocol version", data);
  }
  const result = (fields) => ({ status: 200, message: { jsonrpc: "2.0", id, result: fields } });
  const stateless = version === STATELESS;
  const complete = stateless ? { resultType: "complete", _meta: { "io.modelcontextprotocol/serverInfo": SERVER } } : {};
  switch (method) {
    case "initialize":
      return result({ protocolVersion: HANDSHAKE, capabilities: CAPABILITIES, serverInfo: SERVER });
    case "server/discover":
      return result({ supportedVersions: [STATELESS, HANDSHAKE], capabilities: CAPABILITIES, ...CACHE, ...complete });
    case "ping":
      return result({});
    case "tools/list":
      return result({ tools: [TOOL], ...(stateless ? CACHE : {}), ...complete });
    case "tools/call":
      if (params.name !== TOOL.name) {
        return failure(200, id, -32602, `Unknown tool: ${params.name}`);
      }
      return result({ ...call(params.arguments), ...complete });
    default:
      return failure(stateless ? 404 : 200, id, -32601, `Method not found: ${method}`);
  }
}

function failure(status, id, code, text, data) {
  return { status, message: { jsonrpc: "2.0", id, error: { code, message: text, data } } };
}
