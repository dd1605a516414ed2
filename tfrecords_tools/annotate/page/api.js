// What the page asks its server. Addresses are relative: the token is the first part of the page's own.

export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return answered(await fetch(query ? `${path}?${query}` : path));
}

export async function send(path, body) {
  return answered(await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  }));
}

export function socket(path) {
  return new WebSocket(new URL(path, document.baseURI).href.replace(/^http/, "ws"));
}

async function answered(response) {
  let found;
  try {
    found = await response.json();
  } catch {
    throw new Error(`The server does not answer as expected (${response.status}).`);
  }
  if (!response.ok) throw new Error(found.error ?? `The server refused (${response.status}).`);
  return found;
}
