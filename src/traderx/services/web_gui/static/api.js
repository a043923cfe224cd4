// Calls to the services, through the address the page came from.

/** A refusal or a failure, with what the service said. */
export class CallFailed extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const getJson = (path) => call(path, { headers: { accept: "application/json" } });

export const sendJson = (method, path, body) =>
  call(path, {
    method,
    headers: { accept: "application/json", "content-type": "application/json", traceparent: newTraceparent() },
    body: JSON.stringify(body),
  });

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new CallFailed("TraderX cannot be reached.", 0);
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new CallFailed(sentence(body, response), response.status, body);
  return body;
}

function sentence(body, response) {
  const said = body?.message ?? `${response.status} ${response.statusText}`;
  return said.charAt(0).toUpperCase() + said.slice(1);
}

// The page starts the trace of what a person does in it.
function newTraceparent() {
  const hex = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, "0")).join("");
  return `00-${hex(16)}-${hex(8)}-01`;
}
