// HTTP client. Every failure is an ApiError with a one-line message.

const LONGEST_ANSWER_MILLISECONDS = 30_000;

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

type Listener = () => void;
const tokenNeeded = new Set<Listener>();

/** Call back when the server requires a token. */
export function onTokenNeeded(listener: Listener): () => void {
  tokenNeeded.add(listener);
  return () => tokenNeeded.delete(listener);
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError("The server does not respond.", 0);
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "/v1/session") tokenNeeded.forEach((tell) => tell());
  throw new ApiError(await messageOf(response), response.status);
}

async function messageOf(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    if (body.error?.message) return sentence(body.error.message);
  } catch {
    // Not JSON: a proxy's own response.
  }
  return `The server returned status ${response.status}.`;
}

function sentence(text: string): string {
  const whole = /[.!?]$/.test(text) ? text : `${text}.`;
  return whole.charAt(0).toUpperCase() + whole.slice(1);
}

/** Reason why the server no longer plays a file; empty if it plays, or there is none. */
export async function whyRefused(path: string): Promise<string> {
  try {
    await (await request(path, { headers: { Range: "bytes=0-0" } })).body?.cancel();
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) return error.message;
  }
  return "";
}

/** What the server has; a connection that died without a word would otherwise be waited for, and kept, for minutes. */
export async function get(path: string, signal = AbortSignal.timeout(LONGEST_ANSWER_MILLISECONDS)): Promise<Response> {
  return request(path, { signal });
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await get(path, signal)).json()) as T;
}

export async function postJson<T>(path: string, body: unknown = {}): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  const response = await request(path, { method: "POST", headers, body: JSON.stringify(body) });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export async function putOrRemove<T>(path: string, isThere: boolean): Promise<T> {
  return (await (await request(path, { method: isThere ? "PUT" : "DELETE" })).json()) as T;
}

export async function remove(path: string): Promise<void> {
  await request(path, { method: "DELETE" });
}

export interface ServerEvent {
  name: string;
  data: string;
}

/** Parse a response of server-sent events (HTML standard, section 9.2). */
export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) {
      let name = "message";
      const data: string[] = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data.push(line.slice(6));
      }
      if (data.length) yield { name, data: data.join("\n") };
    }
  }
}

export function messageFrom(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
