import type { ComponentChildren } from "preact";
import type { About } from "./types";

/** Warns that the bundled model knows only the toy world. */
export function ToyNotice({ about, children }: { about: About | null; children?: ComponentChildren }) {
  if (!about?.model.knows_toy_world_only) return null;
  return (
    <p class="notice">
      {children ?? (
        <>
          <b>The bundled model knows only the toy world.</b> Its captions of any other video are wrong. For real video,
          start the server with <code>--model</code> and a real model.
        </>
      )}
    </p>
  );
}
