import { useState } from "preact/hooks";
import { messageFrom, postJson } from "./api";

/** Asks for the server's token, which the server then stores in an HttpOnly cookie. */
export function TokenForm({ onDone }: { onDone: () => void }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await postJson("/v1/session", { token });
      onDone();
    } catch (error) {
      setProblem(messageFrom(error));
    }
  };
  return (
    <form class="card token" onSubmit={submit}>
      <h1>This server requires a token</h1>
      <p class="soft">Enter the token that the server was started with. This browser remembers it for a week, or until the server
        restarts.</p>
      <label class="field">
        <span>Token</span>
        <input
          type="password"
          autoComplete="current-password"
          required
          autoFocus
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <button class="primary" type="submit">
        Sign in
      </button>
    </form>
  );
}
