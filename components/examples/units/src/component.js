// The component: HTTP by WASI 0.3 (wasi:http/handler), which anyturn's host and Spin serve alike.

import types from "wasi:http/types@0.3.0";

import { answer } from "./mcp.js";

const { Fields, Request, Response } = types;
const { RESULT_VOID_ERROR_CODE, RESULT_OPTION_OTHER_ERROR_CODE } = wit.Future;

/** Larger requests are refused. */
const MAX_BODY = 65536;

export const handler = {
  async handle(request) {
    const path = request.getPathWithQuery()?.split("?")[0];
    if (path !== "/mcp") {
      return respond(404);
    }
    if (request.getMethod().tag !== "post") {
      return respond(405, [["allow", "POST"]]);
    }
    const body = await read(request);
    if (body === null) {
      return respond(413);
    }
    const { status, message } = answer(body);
    return message === undefined
      ? respond(status)
      : respond(status, [["content-type", "application/json"]], JSON.stringify(message));
  },
};

/** A future that all went well and nothing more comes: the request's receipt, and the response's trailers. */
function nothing(type) {
  const { readable, writable } = wit.Future(type);
  // Done when somebody reads it, which need not be.
  writable.write({ tag: "ok", val: null });
  return readable;
}

/** The body as text; null where it is too long. */
async function read(request) {
  const [stream] = Request.consumeBody(request, nothing(RESULT_VOID_ERROR_CODE));
  const bytes = [];
  for await (const chunk of stream) {
    if (bytes.length + chunk.length > MAX_BODY) {
      return null;
    }
    bytes.push(...chunk);
  }
  return decode(bytes);
}

/** UTF-8, which QuickJS has no TextDecoder and TextEncoder for. What is none becomes nothing that JSON could be. */
function decode(bytes) {
  try {
    return decodeURIComponent(bytes.map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
  } catch {
    return "\u{fffd}";
  }
}

function encode(text) {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (character) => character.charCodeAt(0));
}

function respond(status, headers = [], text = "") {
  const fields = Fields.fromList(headers.map(([name, value]) => [name, encode(value)]));
  const contents = text === "" ? null : wit.Stream.from([encode(text)], wit.Stream.U8).readable;
  const [response] = Response.new(fields, contents, nothing(RESULT_OPTION_OTHER_ERROR_CODE));
  response.setStatusCode(status);
  return response;
}
